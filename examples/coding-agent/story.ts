/** What the scripted model does: it reads the file, edits it, and says so. */
import { join } from 'node:path';
import { calls, type ModelStory, modelStory, says } from 'turnkeep/testing';

export function story(project: string): ModelStory {
  const path = join(project, 'sum.js');
  const edits = [{ oldText: 'total - number', newText: 'total + number' }];
  return modelStory().otherwise(
    calls({ name: 'read_text_file', arguments: { path } }),
    calls({ name: 'edit_file', arguments: { path, edits } }),
    says('`sum` subtracted', ' each number;', ' now it adds them.'),
  );
}
