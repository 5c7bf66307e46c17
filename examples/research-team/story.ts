/** What is said where there is no key: a story instead of a model. */
import { calls, type ModelStory, modelStory, says } from 'turnkeep/testing';

export function teamStory(): ModelStory {
  const researched = (plant: string, sentence: string) => [calls({ name: 'lookUp', arguments: { plant } }), says(sentence)] as const;
  return modelStory()
    .whenTold(
      'The findings:',
      says(
        'Moss, fern and lichen ',
        'are old and need no flowers: ',
        'moss drinks through its leaves, ',
        'ferns bear spores, ',
        'and a lichen is two that live as one.',
      ),
    )
    .whenTold(
      /^Findings:/,
      calls({ name: 'acceptFindings', arguments: { summary: 'Three plants without flowers, one sentence each.' } }),
      says('The findings are accepted.'),
    )
    .whenTold('without flowers', says('moss\n', 'fern\n', 'lichen'))
    .whenTold('moss', ...researched('moss', 'Mosses have no roots, and drink through their leaves.'))
    .whenTold('fern', ...researched('fern', 'Ferns are 360 million years old, and bear spores.'))
    .whenTold('lichen', ...researched('lichen', 'A lichen is a fungus and an alga.'));
}
