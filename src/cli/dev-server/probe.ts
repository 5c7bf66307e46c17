/**
 * Does a Temporal server without TLS serve this namespace? Listening is not enough: the port is open while the server
 * still answers "not healthy yet". Asked in plain gRPC, since the SDK's connection would bring its whole runtime up
 * before the caller could set it up.
 */
import { connect, type IncomingHttpHeaders } from 'node:http2';

const DESCRIBE_NAMESPACE = '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace';
const LIMIT_MS = 2_000;

/** @returns undefined when it does, else why not */
export function probeNamespace(address: string, namespace: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const end = (fault?: string) => {
      resolve(fault);
      session.destroy();
    };
    session.once('error', (error) => end(error.message));
    session.setTimeout(LIMIT_MS, () => end(`no answer in ${LIMIT_MS / 1000} s`));
    const request = session.request({ ':method': 'POST', ':path': DESCRIBE_NAMESPACE, 'content-type': 'application/grpc', te: 'trailers' });
    // The status comes in the trailers, or in the headers when there is no message.
    const judge = ({ 'grpc-status': status, 'grpc-message': message }: IncomingHttpHeaders) => {
      if (status === undefined) return;
      end(status.toString() === '0' ? undefined : (message?.toString() ?? `gRPC status ${status.toString()}`));
    };
    request.on('response', judge).on('trailers', judge);
    request.once('error', (error) => end(error.message)).once('close', () => end('closed'));
    request.resume().end(describeNamespace(namespace));
  });
}

/** A gRPC frame (flag, length) around a message with the one field 1: the namespace. */
function describeNamespace(namespace: string): Buffer {
  const name = Buffer.from(namespace);
  const varint: number[] = [];
  let rest = name.length;
  for (; rest > 127; rest >>>= 7) varint.push((rest & 127) | 128);
  const message = Buffer.from([0x0a, ...varint, rest, ...name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}
