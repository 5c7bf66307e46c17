/**
 * Whether a Temporal server without TLS serves a namespace. An open port is not enough: the server listens while it still
 * answers "not healthy yet". Asked in plain gRPC, since a connection of the SDK's would start its runtime before the
 * caller has configured that.
 */
import { connect, type IncomingHttpHeaders } from 'node:http2';

const describeNamespacePath = '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace';
const answerLimitMs = 2_000;

/** @returns undefined when it does, else the problem */
export function probeNamespace(address: string, namespace: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const end = (problem?: string) => {
      resolve(problem);
      session.destroy();
    };
    session.once('error', (error) => end(error.message));
    session.setTimeout(answerLimitMs, () => end(`no answer in ${answerLimitMs / 1000} s`));
    const request = session.request({
      ':method': 'POST',
      ':path': describeNamespacePath,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // The status comes in the trailers, or in the headers when there is no message.
    const readStatus = ({ 'grpc-status': status, 'grpc-message': message }: IncomingHttpHeaders) => {
      if (status === undefined) return;
      end(status.toString() === '0' ? undefined : (message?.toString() ?? `gRPC status ${status.toString()}`));
    };
    request.on('response', readStatus).on('trailers', readStatus);
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
