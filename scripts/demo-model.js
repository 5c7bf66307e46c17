/**
 * The demo model of `turnkeep dev` as a process of its own, for replicas that have no real one.
 *
 *     node demo-model.js [PORT] [HOST]        by default 8485 on 127.0.0.1
 */
import { startDemoModel } from 'turnkeep/testing';

const [, , port = '8485', host = '127.0.0.1'] = process.argv;
const model = await startDemoModel({ port: Number(port), host });
process.stdout.write(`demo model listens on ${host}:${model.port}\n`);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void model.close().then(() => process.exit()));
