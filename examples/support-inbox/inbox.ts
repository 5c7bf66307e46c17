/** A folder in the place of a mailbox: `name.mail` is a mail, `name.answer` beside it that it has been answered. Activities. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function newMail(folder: string): Promise<readonly { readonly name: string; readonly text: string }[]> {
  const files = await readdir(folder);
  const names = files.filter((file) => file.endsWith('.mail')).map((file) => file.replace(/\.mail$/, ''));
  const unanswered = names.filter((name) => !files.includes(`${name}.answer`)).toSorted();
  return Promise.all(unanswered.map(async (name) => ({ name, text: await readFile(join(folder, `${name}.mail`), 'utf8') })));
}

export async function answerMail(folder: string, name: string, text: string): Promise<void> {
  await writeFile(join(folder, `${name}.answer`), text);
}
