import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { failureOfTransport } from '../../../src/providers/failures/transport-failure.ts';

/** An error as the clients wrap it: `APIConnectionError` <- `TypeError: fetch failed` <- the one with the code. */
function wrapped(cause: Error): Error {
  return new Error('Connection error.', { cause: new TypeError('fetch failed', { cause }) });
}

function coded(code: string, message = 'x'): Error {
  return Object.assign(new Error(message), { code });
}

const transient = [
  ['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ECONNABORTED', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENETRESET'],
  ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL'],
  // Exhaustion at home, before the request was sent.
  ['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAI_MEMORY'],
  ['UND_ERR_SOCKET', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'HPE_INVALID_EOF_STATE', 'ERR_STREAM_PREMATURE_CLOSE'],
].flat();

const permanent = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'provider_rejected',
  ERR_TLS_CERT_ALTNAME_INVALID: 'provider_rejected',
  CERT_HAS_EXPIRED: 'provider_rejected',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'provider_rejected',
  SELF_SIGNED_CERT_IN_CHAIN: 'provider_rejected',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'provider_rejected',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'provider_rejected',
  EPROTO: 'provider_rejected',
  ERR_INVALID_URL: 'provider_rejected',
  ERR_SOCKET_BAD_PORT: 'provider_rejected',
  HPE_INVALID_CONSTANT: 'provider_protocol',
  HPE_INVALID_CHUNK_SIZE: 'provider_protocol',
  UND_ERR_HEADERS_OVERFLOW: 'provider_protocol',
  Z_DATA_ERROR: 'provider_protocol',
} as const;

void suite('T3 · a closed table decides what is transient', () => {
  for (const code of transient) {
    void test(`${code} is, wherever in the cause chain it stands`, () => {
      for (const error of [coded(code), wrapped(coded(code)), wrapped(wrapped(coded(code)))]) {
        const { code: is, detail } = failureOfTransport(error, false);
        assert.deepEqual([is, detail], ['transport_failed', code]);
      }
    });
  }

  for (const [code, expected] of Object.entries(permanent)) {
    void test(`${code} is not, and outweighs a transient code beside it`, () => {
      assert.equal(failureOfTransport(wrapped(coded(code)), false).code, expected);
      const mixed = Object.assign(coded('ECONNRESET'), { cause: coded(code) });
      assert.equal(failureOfTransport(wrapped(mixed), false).code, expected);
      const aggregate = new AggregateError([coded('ECONNREFUSED'), coded(code)], 'all addresses failed');
      assert.equal(failureOfTransport(wrapped(aggregate), false).code, expected);
    });
  }

  void test('an unknown error is fatal, whatever its message or status', () => {
    for (const error of [
      coded('EWEIRD'),
      coded('UND_ERR_CLOSED'),
      new Error('timeout'),
      Object.assign(new Error('x'), { status: 503 }),
      'ECONNRESET',
    ]) {
      assert.equal(failureOfTransport(error, false).code, 'provider_rejected');
    }
  });

  void test('every member of an aggregate counts, as when both families of addresses are refused', () => {
    const error = wrapped(new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')]));
    assert.equal(failureOfTransport(error, false).code, 'transport_failed');
  });

  void test('messages count only where no error of the chain has a code', () => {
    assert.equal(failureOfTransport(wrapped(new Error('socket hang up')), false).code, 'transport_failed');
    assert.equal(failureOfTransport(wrapped(new Error('read: Connection reset by peer')), false).code, 'transport_failed');
    assert.equal(failureOfTransport(wrapped(coded('EWEIRD', 'socket hang up')), false).code, 'provider_rejected');
  });

  void test("undici's errors without a code are recognised by their messages", () => {
    const parser = (reason: string): Error =>
      Object.assign(new Error(`Response does not match the HTTP/1.1 protocol (${reason})`), { name: 'HTTPParserError', code: undefined });
    assert.equal(failureOfTransport(wrapped(parser('Invalid EOF state')), false).code, 'transport_failed');
    assert.equal(failureOfTransport(wrapped(parser('Expected HTTP/, RTSP/ or ICE/')), false).code, 'provider_protocol');
  });

  void test('a circular chain of causes ends', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    assert.equal(failureOfTransport(error, false).code, 'provider_rejected');
  });
});

void test('T2 · once the step has started every break of the transport is stream_interrupted', () => {
  for (const code of [...transient, ...Object.keys(permanent), 'EWEIRD']) {
    assert.equal(failureOfTransport(wrapped(coded(code)), true).code, 'stream_interrupted');
  }
});

void test('T11 · the text of an error stays out of the failure', () => {
  const failure = failureOfTransport(wrapped(coded('ECONNRESET', 'secret prompt')), false);
  assert.doesNotMatch(JSON.stringify(failure), /secret/);
});
