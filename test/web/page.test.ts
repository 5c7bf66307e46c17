/** The page at `/` in a real Chromium, on a real gateway: what a person says is answered, whatever is reloaded, stopped or killed. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { findPage } from '../../src/roles/page.ts';
import { chat, chatAnswer, chatToolCalls, done, end, hold, reset, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { type Browser, openBrowser } from '../conformance/browser.ts';
import { call, keys } from '../stories/agent-story.ts';
import { startCluster } from '../support/processes.ts';
import { needChromium } from '../support/programs.ts';
import { ToolBench } from '../support/tool-bench.ts';
import { World, type WorldOptions } from '../support/world.ts';
import { artefacts, open, type Person } from './look.ts';

const held = [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), chat.usage(), done, end];

test('the page', async (t) => {
  const program = await needChromium(t);
  if (program === undefined) return;
  await using browser = await openBrowser(program);
  const page = findPage();
  // Where it is still to be built, a browser would be shown a page that says so.
  await page;
  const story = scene(t, browser, page);

  await story('a message is answered word by word, and a reload in mid-answer loses nothing', async (world, person) => {
    world.model.enqueue(held, chatAnswer('fine'));
    await person.say('one');
    await person.sees('Hel');
    assert.match(String(await person.page.evaluate('location.hash')), /^#\/s\/conv_/);
    await person.page.reload();
    await person.sees('Hel');
    world.model.release('go');
    await person.page.until(`document.querySelector('.turn-line')`);
    assert.deepEqual(await person.messages(), ['user: one', 'assistant: Hello']);
    await person.say('two');
    await person.sees('fine');
    await person.page.until(`document.querySelectorAll('.turn-line').length === 2`);
    assert.deepEqual(await person.messages(), ['user: one', 'assistant: Hello', 'user: two', 'assistant: fine']);
    assert.equal(world.model.requests.filter(({ path }) => path.endsWith('/chat/completions')).length, 2);
  });

  await story(
    'what a model writes is shown, and never run: no markup, no picture from elsewhere, no other kind of link',
    async (world, person) => {
      const words =
        'A **bold** [page](https://example.org/a) <img src=x onerror="document.title=1"> [bad](javascript:document.title=1)' +
        ' ![pic](https://example.org/pic.png)\n\n```js\nconst a = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n';
      world.model.enqueue(chatAnswer(words));
      await person.say('show me <b>this</b>');
      await person.page.until(`document.querySelector('.markdown table')`);
      assert.deepEqual(
        await person.page.evaluate(`[...document.querySelectorAll('.markdown a')].map((a) => [a.innerText, a.href, a.rel])`),
        [
          ['page', 'https://example.org/a', 'noopener noreferrer nofollow'],
          ['[image: pic]', 'https://example.org/pic.png', 'noopener noreferrer nofollow'],
        ],
      );
      assert.equal(await person.page.evaluate(`document.querySelectorAll('.message img, .message b').length`), 0);
      assert.deepEqual(await person.texts('.message.user'), ['show me <b>this</b>']);
    },
  );

  await story('stop keeps what was said; what is said meanwhile waits, or is taken back', async (world, person) => {
    world.model.enqueue([sseHead, chat.content('Hel'), stall], chatAnswer('second'));
    await person.say('one');
    await person.sees('Hel');
    await person.say('two');
    await person.sees('waits');
    await person.say('three');
    await person.page.until(`document.querySelectorAll('.pending li button').length === 2`);
    await person.page.evaluate(`document.querySelectorAll('.pending li button')[1].click()`);
    await person.page.until(`document.querySelectorAll('.pending li button').length === 1`);
    await person.press('Stop');
    await person.sees('second');
    await person.page.until(`document.querySelectorAll('.turn-line').length >= 2 && !document.querySelector('.live-line')`);
    await person.sees('stopped');
    assert.deepEqual(await person.messages(), [
      'user: one',
      'assistant: Hel\n\ncut off here',
      'user: two',
      'assistant: second',
      'user: three',
    ]);
  });

  await story('a retry and a break are told where they happened, with their timeline beside them', async (world, person) => {
    world.model.enqueue([reset], [sseHead, chat.content('Hel'), reset]);
    await person.say('one');
    await person.sees('asked again after');
    await person.sees('stream_interrupted');
    await person.press('timeline');
    const bars = `document.querySelectorAll('.bar.request').length === 2 && document.querySelectorAll('.bar.wait').length === 1`;
    await person.page.until(bars);
    await person.page.evaluate(`document.querySelector('.bar.request').closest('button').click()`);
    await person.sees('Outcome');
    await person.sees('ECONNRESET');
    await person.isAccessible('a timeline');
    await person.screenshot('broken-light');
    await person.page.reload();
    await person.page.until(bars);
  });

  await story(
    'a call is approved, another one refused with a reason',
    async (world, person) => {
      world.model.enqueue(chatToolCalls(call('a', 'mail', 'ann\u202e'), call('b', 'mail', 'bob')), chatAnswer('one is sent'));
      await person.page.until(`[...document.querySelectorAll('.model option')].some(({ value }) => value === 'helper')`);
      await person.page.evaluate(`{
        const select = document.querySelector('.model select');
        Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(select, 'helper');
        select.dispatchEvent(new Event('change', { bubbles: true }));
      }`);
      await person.say('write to both');
      await person.page.until(`document.querySelectorAll('.approval').length === 2`);
      await person.sees('ann\\u202e');
      await person.isAccessible('approvals');
      await person.screenshot('approvals-light');
      await person.press('Approve');
      await person.sees('1 of 2 decided');
      await person.fill('Reason for a refusal, told to the model', 'not him');
      await person.press('Refuse');
      await person.sees('one is sent');
      await person.sees('You refused the call. “not him”');
      await person.page.until(`!document.querySelector('.approval')`);
      assert.match(JSON.stringify(world.model.requests.at(-1)?.body), /not him/);
    },
    { agents: () => new ToolBench().config },
  );

  await story('a turn is forked, run again with other words, compared and exported', async (world, person) => {
    world.model.enqueue(chatAnswer('It is soft.'), chatAnswer('It is old.'), chatAnswer('Both.'));
    await person.say('Tell me about moss');
    await person.press('timeline');
    await person.press('Run again');
    // The window is loaded when it is asked for, and what was said behind it.
    const said = `document.querySelector('.dialog textarea')`;
    await person.page.until(`${said}?.value === 'Tell me about moss'`);
    await person.isAccessible('a window');
    await person.screenshot('rerun-light');
    await person.page.evaluate(`${said}.focus()`);
    await person.page.evaluate(`${said}.select()`);
    await person.page.until(`document.activeElement === ${said}`);
    await person.page.type('Tell me about fern');
    await person.page.evaluate(
      `[...document.querySelectorAll('.dialog button')].find(({ textContent }) => textContent === 'Run again').click()`,
    );
    await person.sees('It is old.');
    assert.deepEqual(await person.messages(), ['user: Tell me about fern', 'assistant: It is old.']);
    await person.page.until(`!document.querySelector('.dialog')`);
    await person.press('Compare');
    const [first = '', again = ''] = await turnIds(world);
    await person.fill('With which turn?', first);
    await person.page.press('Enter');
    await person.sees('The first difference is');
    assert.match(String(await person.page.evaluate('location.hash')), new RegExp(`^#/diff/${again}/${first}$`));
    assert.match((await person.texts('.diff')).join(), /Tell me about fern[^]*Tell me about moss[^]*It is old\.[^]*It is soft\./);
    await person.isAccessible('a comparison');
    await person.screenshot('diff-light');
    await person.page.goto(`${world.url}/#/turns/${first}`);
    await person.page.evaluate(`void (globalThis.saved = new Promise((resolve) => {
      URL.createObjectURL = (file) => (resolve(file.text()), 'data:,');
    }))`);
    await person.press('Export');
    const bundle = JSON.parse(String(await person.page.evaluate('globalThis.saved'))) as {
      readonly format?: string;
      readonly timeline?: { readonly id?: string };
    };
    assert.deepEqual([bundle.format, bundle.timeline?.id], ['turnkeep.turn', first]);
    await person.press('Fork here');
    await person.page.evaluate(`document.querySelector('.dialog form').requestSubmit()`);
    await person.page.until(`location.hash.startsWith('#/s/conv_')`);
    await person.sees('It is soft.');
    await person.say('And both?');
    await person.sees('Both.');
    assert.deepEqual(await person.messages(), [
      'user: Tell me about moss',
      'assistant: It is soft.',
      'user: And both?',
      'assistant: Both.',
    ]);
  });

  await story(
    'where keys are set, one is asked for, kept for the tab alone or longer, and forgotten',
    async (world, person) => {
      world.model.enqueue(chatAnswer('fine'));
      await person.fill('API key', 'wrong');
      await person.isAccessible('the key');
      await person.press('Continue');
      await person.sees('does not know this key');
      await person.page.evaluate(`document.querySelector('input[type=password]').select()`);
      await person.page.type('secret of ann');
      await person.press('Continue');
      await person.say('one');
      await person.sees('fine');
      await person.page.reload();
      await person.sees('fine');
      assert.deepEqual(await person.page.evaluate('[localStorage.getItem("turnkeep.key"), sessionStorage.getItem("turnkeep.key")]'), [
        null,
        'secret of ann',
      ]);
      await person.press('Forget key');
      await person.sees('This gateway wants an API key');
      assert.equal(await person.page.evaluate('sessionStorage.getItem("turnkeep.key")'), null);
    },
    { config: { apiKeys: keys } },
    // The browser tells of each answer that is an error.
    (complaint) => complaint.includes('401'),
  );

  await story('each view in both themes and on a phone, with nothing that axe finds', async (world, person) => {
    world.model.enqueue([
      sseHead,
      chat.reasoning('First I think.'),
      chat.content('# Moss\n\nIt is *soft*.\n\n- green\n- old\n\n`code`'),
      chat.finish(),
      chat.usage(),
      done,
      end,
    ]);
    await person.say('Tell me about moss');
    await person.page.until(`document.querySelector('.turn-line a')`);
    await person.press('timeline');
    await person.page.until(`document.querySelector('.part')`);
    const hash = String(await person.page.evaluate('location.hash'));
    const [, , session = '', , turn = ''] = hash.split('/');
    const views = {
      session: `#/s/${session}`,
      timeline: hash,
      begin: '#/',
      turns: '#/turns',
      turn: `#/turns/${turn}`,
      figures: '#/figures',
    };
    for (const [look, options] of Object.entries({
      light: {},
      dark: { colorScheme: 'dark' },
      phone: { width: 390, height: 780 },
    } as const)) {
      await using other = await open(browser, world.url, options);
      for (const [view, address] of Object.entries(views)) {
        await other.page.goto(`${world.url}/${address}`);
        await other.page.until(ready[view] ?? 'false');
        await other.isAccessible(`${view}, ${look}`);
        await other.screenshot(`${view}-${look}`);
        const isTooWide = await other.page.evaluate('document.documentElement.scrollWidth > innerWidth');
        assert.equal(isTooWide, false, `${view} is wider than the window: ${look}`);
      }
      other.staysHome();
    }
    await person.page.evaluate('document.activeElement.blur()');
    await person.page.press('?');
    await person.sees('begin a new session');
    await person.isAccessible('the keys');
    await person.page.press('Escape');
    await person.page.press('d');
    await person.page.until(`document.documentElement.dataset.theme === 'light'`);
    await person.page.press('f');
    await person.sees('How they ended');
    await person.page.press('t');
    await person.page.until(`document.querySelector('[role=table]')`);
  });

  await story('a session of 5,000 items is a list of which only what is seen is there', async (world, person) => {
    const session = await world.session();
    const message = (index: number) => ({ type: 'message', role: index % 2 === 0 ? 'user' : 'assistant', content: `words ${index}` });
    for (let first = 0; first < 5_000; first += 1_000) {
      const items = Array.from({ length: 1_000 }, (_, index) => message(first + index));
      assert.equal((await world.call('POST', `/v1/conversations/${session}/items`, { items })).status, 200);
    }
    await person.page.goto(`${world.url}/#/s/${session}`);
    await person.sees('words 4999');
    const rows = `document.querySelectorAll('.row').length`;
    assert.ok(Number(await person.page.evaluate(rows)) < 60);
    // To the very first of them, as long as there are older ones.
    await person.page.until(`(document.querySelector('.transcript').scrollTop = 0, document.body.innerText.includes('words 0\\n'))`);
    assert.ok(Number(await person.page.evaluate(rows)) < 60);
    world.model.enqueue(chatAnswer('fine'));
    await person.say('and now');
    await person.sees('fine');
  });

  await t.test('kill -9 of the gateway in mid-answer: the page waits, and goes on where it was', async () => {
    await using cluster = await startCluster();
    await cluster.startWorker();
    const first = await cluster.startGateway();
    cluster.model.enqueue(held);
    await using person = await open(browser, first.url);
    await person.say('one');
    await person.sees('Hel');
    await first.role.kill();
    await person.sees('the gateway does not answer');
    await cluster.startGateway({ TURNKEEP_PORT: new URL(first.url).port });
    cluster.model.release('go');
    await person.sees('Hello');
    await person.page.until(`document.querySelector('.turn-line')`);
    assert.deepEqual(await person.messages(), ['user: one', 'assistant: Hello']);
    assert.equal(cluster.model.requests.filter(({ path }) => path.endsWith('/chat/completions')).length, 1);
  });
  t.diagnostic(`screenshots: ${artefacts}`);
});

/** Of all turns, oldest first. */
async function turnIds(world: World): Promise<readonly string[]> {
  const { body } = await world.call('GET', '/turns');
  return (body['data'] as readonly { readonly id: string }[]).map(({ id }) => id).toReversed();
}

/** True once a view is all there. */
const ready: { readonly [view: string]: string } = {
  session: `document.querySelector('.turn-line a')`,
  // On a phone the timeline has the place of the conversation, which may have drawn nothing yet.
  timeline: `document.querySelector('.part') && (innerWidth <= 760 || document.querySelector('.turn-line a'))`,
  begin: `document.querySelector('.session') && document.querySelector('.model option[value=scripted]')`,
  turns: `document.querySelector('[role=cell]')`,
  turn: `document.querySelector('.part')`,
  figures: `document.querySelector('.bars')`,
};

/** Tests on a world of their own, with a page that is open at its beginning. */
function scene(t: TestContext, browser: Browser, page: Promise<string>) {
  return async (
    title: string,
    tell: (world: World, person: Person) => Promise<void>,
    options: WorldOptions = {},
    isAllowed?: (complaint: string) => boolean,
  ): Promise<void> => {
    await t.test(title, async () => {
      await using world = await World.open({ ...options, page });
      await using person = await open(browser, world.url);
      await tell(world, person);
      person.staysHome(isAllowed);
    });
  };
}
