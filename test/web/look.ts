/** What a person does on the page, and sees there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page, PageLook } from '../conformance/browser.ts';
import { root } from '../package/entries.ts';

/** Where screenshots are kept, for people: no test reads them. */
export const artefacts = join(root, 'test/web/screenshots');

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** @param url of the gateway */
export async function open(browser: Browser, url: string, look?: PageLook): Promise<Person> {
  const page = await browser.newPage(look);
  await page.goto(`${url}/`);
  return new Person(page, url);
}

export class Person implements AsyncDisposable {
  readonly page: Page;
  readonly #origin: string;

  constructor(page: Page, url: string) {
    this.page = page;
    this.#origin = new URL(url).origin;
  }

  /** Of something that can be pressed, by its words or its label. */
  async press(words: string): Promise<void> {
    const find = `[...document.querySelectorAll('button, a, summary')].find((each) =>
      !each.disabled && [each.textContent.trim(), each.getAttribute('aria-label')].includes(${JSON.stringify(words)}))`;
    await this.page.until(find);
    await this.page.evaluate(`${find}.click()`);
  }

  /** @param label of the field */
  async fill(label: string, text: string): Promise<void> {
    const find = `[...document.querySelectorAll('input, textarea')].find((each) =>
      each.getAttribute('aria-label') === ${JSON.stringify(label)} || [...each.labels].some((one) => one.textContent.trim() === ${JSON.stringify(label)}))`;
    await this.page.until(find);
    await this.page.evaluate(`${find}.focus()`);
    await this.page.type(text);
  }

  /** Writes a message and sends it as the keyboard does. */
  async say(text: string): Promise<void> {
    await this.fill('Message', text);
    await this.page.press('Enter');
  }

  async sees(text: string): Promise<void> {
    await this.page.until(`document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  async seesNot(text: string): Promise<void> {
    await this.page.until(`!document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  /** The texts of all elements that a selector finds. */
  async texts(selector: string): Promise<readonly string[]> {
    return (await this.page.evaluate(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((each) => each.innerText.trim())`,
    )) as readonly string[];
  }

  /** What was said, by whom. */
  async messages(): Promise<readonly string[]> {
    return (await this.page.evaluate(
      `[...document.querySelectorAll('.message')].map((each) => (each.classList.contains('user') ? 'user: ' : 'assistant: ') + each.innerText.trim())`,
    )) as readonly string[];
  }

  /** No rule of accessibility is broken in what is shown now. */
  async isAccessible(view: string): Promise<void> {
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html + ' ' + failureSummary).join('; ')))`);
    assert.deepEqual(found, [], view);
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot(join(artefacts, `${name}.png`));
  }

  /** Nothing was asked of another origin, and the browser complains of nothing that the page does. */
  staysHome(isAllowed: (complaint: string) => boolean = () => false): void {
    const elsewhere = this.page.requests.filter((url) => !url.startsWith('data:') && new URL(url).origin !== this.#origin);
    assert.deepEqual(elsewhere, []);
    assert.deepEqual(
      this.page.complaints.filter((complaint) => !isAllowed(complaint)),
      [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page[Symbol.asyncDispose]();
  }
}
