/** A minute with a failed turn, by the page alone: found, explained, finished from its third step, compared and kept (docs/debugging.md). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findPage } from '../../src/roles/page.ts';
import { chat, chatAnswer, chatToolCalls, reset, sseHead, wait } from '../../src/testing/model-server/index.ts';
import { openBrowser } from '../conformance/browser.ts';
import { needChromium } from '../support/programs.ts';
import { ToolBench } from '../support/tool-bench.ts';
import { World } from '../support/world.ts';
import { open } from './look.ts';

const helper = { model: 'helper' };
const call = (id: string) => chatToolCalls({ id, name: 'echo', arguments: { name: id } });

/** Presses, choices and words of a person. */
const budget = 10;

test('a turn that broke in its third step is found, explained, finished and compared on the page', { timeout: 300_000 }, async (t) => {
  const program = await needChromium(t);
  if (program === undefined) return;
  const page = findPage();
  await page;
  const tools = new ToolBench();
  await using world = await World.open({ agents: tools.config, page });
  const conversation = await world.session();
  world.model.enqueue(call('tides'), call('winds'), [sseHead, chat.content('High water is'), wait(20), reset]);
  const failed = await world.hear('When do we sail?', { ...helper, conversation });
  assert.equal(failed.last.response.error?.code, 'stream_interrupted');
  await world.hear('Another turn, which went well', {});

  await using browser = await openBrowser(program);
  await using person = await open(browser, world.url);
  let acts = 0;
  const press = async (words: string): Promise<void> => {
    acts += 1;
    await person.press(words);
  };
  const choose = async (label: string, value: string): Promise<void> => {
    acts += 1;
    const find = `[...document.querySelectorAll('select')].find((each) => [...each.labels].some((one) => one.textContent.trim().startsWith(${JSON.stringify(label)})))`;
    await person.page.until(find);
    await person.page.evaluate(`(() => {
      const select = ${find};
      Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(select, ${JSON.stringify(value)});
      select.dispatchEvent(new Event('change', { bubbles: true }));
    })()`);
  };

  // Found.
  await press('Turns');
  await choose('Status', 'failed');
  const rows = `[...document.querySelectorAll('[role=row] a')].filter(({ hash }) => hash.startsWith('#/turns/resp_'))`;
  await person.page.until(`${rows}.length === 1 && ${rows}[0].hash === '#/turns/${failed.id}'`);
  acts += 1;
  await person.page.evaluate(`${rows}[0].click()`);

  // Explained.
  await person.sees('stream_interrupted');
  await person.page.until(`document.querySelectorAll('.part').length >= 5`);
  acts += 1;
  await person.page.evaluate(`[...document.querySelectorAll('.part')].at(-1).click()`);
  await person.sees('read ECONNRESET');

  // Finished, from where it broke, with what its tools came to.
  world.model.enqueue(chatAnswer('High water is ', 'at nine.'));
  await press('Run again');
  await choose('From', '3');
  acts += 1;
  await person.page.evaluate(`document.querySelector('.dialog form').requestSubmit()`);
  await person.sees('High water is at nine.');
  assert.equal(tools.runs.length, 2, 'no tool ran again');

  // Compared.
  await person.page.until(`!document.querySelector('.dialog')`);
  await press('Compare');
  await person.fill('With which turn?', failed.id);
  acts += 1;
  await person.page.press('Enter');
  await person.sees('The first difference is');
  assert.match((await person.texts('.diff')).join(), /step 3, request 1/);
  assert.ok(acts <= budget, `${acts} acts`);
  person.staysHome();
});
