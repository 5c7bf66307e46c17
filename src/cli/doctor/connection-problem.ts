/** Why no connection to Temporal came about, and the way out: the SDK says it in the words of its libraries. Pure. */
import type { Finding } from '../../store/ports/diagnosis.ts';

interface Cause {
  readonly form: RegExp;
  readonly seen: string;
  readonly mend: string;
}

const mendAddress = "see TEMPORAL_ADDRESS, and that Temporal's frontend runs there (port 7233)";
const mendClient =
  "give the certificate and the key that the server's authority has signed: TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH";

/** The first that fits. */
const causes: readonly Cause[] = [
  { form: /Connection ?refused/i, seen: 'nothing listens there', mend: mendAddress },
  {
    form: /dns error|failed to lookup/i,
    seen: 'its name is not known',
    mend: 'see TEMPORAL_ADDRESS, and the name servers of this machine',
  },
  {
    form: /InvalidContentType|WRONG_VERSION/i,
    seen: 'it speaks no TLS',
    mend: 'unset TEMPORAL_TLS and TEMPORAL_TLS_*; a TEMPORAL_API_KEY asks for TLS too',
  },
  {
    form: /UnknownIssuer|CaUsedAsEndEntity|self.signed/i,
    seen: 'its certificate is of an authority that is not known here',
    mend: "give the authority's certificate: TEMPORAL_TLS_SERVER_CA_CERT_PATH",
  },
  {
    form: /NotValidForName|NotValidForNameContext/i,
    seen: 'its certificate is for another name',
    mend: 'give the name that it is for: TEMPORAL_TLS_SERVER_NAME',
  },
  {
    form: /invalid peer certificate: Expired/i,
    seen: 'its certificate has expired',
    mend: 'get another one for the server, or set the clock of this machine',
  },
  {
    form: /CertificateRequired|certificate required|BadCertificate|HandshakeFailure|bad certificate/i,
    seen: 'it wants a client certificate, and not this one',
    mend: mendClient,
  },
  {
    form: /Unauthenticated|PermissionDenied|not authorized|Request unauthorized/i,
    seen: 'it does not take the key',
    mend: 'see TEMPORAL_API_KEY, and that it is for TEMPORAL_NAMESPACE',
  },
  {
    form: /h2 protocol error|broken ?pipe|connection ?(?:reset|closed)|UnexpectedEof|http2 error|frame with invalid size/i,
    seen: 'it closes the connection',
    mend: 'it may want TLS (TEMPORAL_TLS=1), or not take the client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH), or be no Temporal at all',
  },
  { form: /no answer within/i, seen: 'it does not answer', mend: `${mendAddress}; a firewall may swallow what is sent` },
];

export function connectionProblem(error: unknown, address: string): Pick<Finding, 'seen' | 'mend'> {
  const message = error instanceof Error ? error.message : String(error);
  const { seen, mend } = causes.find(({ form }) => form.test(message)) ?? { seen: 'no connection', mend: mendAddress };
  return { seen: `${address}: ${seen} (${message})`, mend };
}
