/** What the scripted model says, as the agent that is asked. */
import { calls, modelStory, says } from 'turnkeep/testing';

export const story = modelStory()
  // The customer, to `support`.
  .whenTold(
    'Where is my kettle',
    calls({ name: 'researcher', arguments: { input: 'Where is order A-1001, and when does it arrive?' } }),
    says('Dear Ada, your kettle is on its way', ' as parcel NO-7734, and is due on 3 December.'),
  )
  .whenTold(
    'two weeks',
    says('Dear Ada, it is still parcel NO-7734,', ' of the order A-1001 that you asked about.', ' It is still due on 3 December.'),
  )
  // `support`, to `researcher`.
  .whenTold(
    'order A-1001',
    calls({ name: 'order', arguments: { number: 'A-1001' } }),
    says('A-1001: a kettle, shipped as NO-7734, due on 2026-12-03.'),
  );
