/** The program: first what makes its start quick, then the commands, which are many modules. */
import { startCompileCache } from './compile-cache.ts';

startCompileCache();
// Whatever reads the output may end first (`| head`): a command ends with it, and a server goes on.
const isServer = /^(?:dev|serve|gateway|worker)$/.test(process.argv[2] ?? '');
process.stdout.on('error', () => {
  if (!isServer) process.exit(Number(process.exitCode ?? 0));
});
const { runCommand } = await import('./commands.ts');
const exitCode = await runCommand();
// What a pipe has not taken yet would be lost with the process. Whoever reads it may be gone.
const { stdout } = process;
if (stdout.writableLength > 0 && !stdout.destroyed) {
  await new Promise<void>((resolve) => {
    stdout.once('error', () => resolve()).write('', () => resolve());
  });
}
// Handles that a failed start leaves open must not keep the process alive.
process.exit(exitCode);
