/** The program: first what makes its start quick, then the commands, which are many modules. */
import { startCompileCache } from './compile-cache.ts';

startCompileCache();
const { runCommand } = await import('./commands.ts');
// Handles that a failed start leaves open must not keep the process alive.
process.exit(await runCommand());
