/** What a provider's API cannot express is found, and named as the request names it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { InputPart, NewItem, Role } from '../../src/domain/item.ts';
import type { ResponseSettings } from '../../src/domain/response/response-settings.ts';
import { unsupportedBy, unsupportedItem } from '../../src/domain/provider-capabilities.ts';
import { apis, settings } from '../providers/support.ts';

const says = (role: Role, ...content: readonly InputPart[]): NewItem => ({ type: 'message', status: 'completed', role, content });
const gave = (...output: readonly InputPart[]): NewItem => ({ type: 'function_call_output', status: 'completed', call_id: 'a', output });
const text: InputPart = { type: 'input_text', text: 'a' };
const image: InputPart = { type: 'input_image', detail: 'original', image_url: 'data:image/png;base64,AAAA' };
const imageById: InputPart = { type: 'input_image', detail: 'auto', file_id: 'file_1' };
const file: InputPart = { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' };
const fileById: InputPart = { type: 'input_file', file_id: 'file_1' };
const fileByUrl: InputPart = { type: 'input_file', file_url: 'https://files.test/a.pdf' };
const hello = says('user', text);

const param = (api: 'chat' | 'responses', made: Partial<ResponseSettings>, ...items: readonly NewItem[]): string | undefined =>
  unsupportedBy(api, { settings: { ...settings, ...made }, items })?.param;

void suite('settings', () => {
  const unsupported: readonly (readonly [made: Partial<ResponseSettings>, chat: string | undefined, responses?: string])[] = [
    [{ max_tool_calls: 1 }, 'max_tool_calls'],
    [{ stop: ['END'] }, undefined, 'stop'],
    [{ seed: 7 }, undefined, 'seed'],
    [{ reasoning: { effort: null, summary: 'concise' } }, 'reasoning.summary'],
    [{ reasoning: { effort: null, summary: 'detailed' } }, 'reasoning.summary'],
    [{ include: ['reasoning.encrypted_content', 'message.output_text.logprobs'] }, 'include[1]'],
    [{ passed: { moderation: { model: 'm' } } }, 'moderation'],
    [{ passed: { image: { context_compression: 'enabled' } } }, 'image.context_compression'],
    [{ passed: { prompt: { id: 'p' } } }, 'prompt'],
    [{ passed: { top_logprobs: 2 } }, 'top_logprobs'],
    [{ reasoning: { effort: null, summary: null, mode: 'pro' } as ResponseSettings['reasoning'] }, 'reasoning.mode'],
  ];
  for (const [made, chat, responses] of unsupported) {
    void test(JSON.stringify(made), () => {
      assert.equal(param('chat', made, hello), chat);
      assert.equal(param('responses', made, hello), responses);
    });
  }
  const supported: readonly Partial<ResponseSettings>[] = [
    {},
    { truncation: 'auto' },
    { truncation: 'disabled', reasoning: { effort: 'high', summary: 'auto' } },
    { presence_penalty: 1, frequency_penalty: -1, temperature: 0, top_p: 1, max_output_tokens: 5 },
    { include: ['reasoning.encrypted_content', 'web_search_call.action.sources', 'message.input_image.image_url'] },
    { tools: [], tool_choice: 'auto', parallel_tool_calls: true },
    { text: { format: { type: 'json_object' }, verbosity: 'low' }, service_tier: 'flex', safety_identifier: 's', user: 'u' },
    {
      passed: {
        client_metadata: { a: 'b' },
        prompt_cache_options: { mode: 'explicit' },
        context_management: [{ type: 'compaction' }],
        top_logprobs: 0,
      },
    },
    { store: false, background: true, metadata: { a: 'b' }, prompt_cache_key: 'k', prompt_cache_retention: '24h' },
  ];
  for (const made of supported) {
    void test(`${JSON.stringify(made)} is supported by both`, () => {
      for (const api of apis) assert.equal(param(api, made, hello), undefined);
    });
  }
});

void suite('items', () => {
  const rows: readonly (readonly [items: readonly NewItem[], chat: string | undefined, responses?: string])[] = [
    [[says('user', text, image, file, fileById)], undefined],
    [[hello, hello, says('user', imageById)], 'input[2].content[0].file_id'],
    [[says('user', text, fileByUrl)], 'input[0].content[1].file_url'],
    [[says('system', text, image)], 'input[0].content[1]'],
    [[says('developer', file)], 'input[0].content[0]'],
    [[says('assistant', text, image)], 'input[0].content[1]', 'input[0].content[1]'],
    [[hello, gave(text, fileById)], 'input[1].output[1]'],
    [[hello, gave(text)], undefined],
    [[{ type: 'reasoning', status: 'completed', summary: [], encrypted_content: 'E' }], undefined],
    [[{ type: 'function_call', status: 'completed', call_id: 'a', name: 'f', arguments: '{' }], undefined],
  ];
  for (const [items, chat, responses] of rows) {
    void test(`${JSON.stringify(items)}: ${chat ?? 'supported'}`, () => {
      assert.equal(param('chat', {}, ...items), chat);
      assert.equal(param('responses', {}, ...items), responses);
    });
  }
  void test('those put into a conversation are named by its own list', () =>
    assert.equal(unsupportedItem('chat', [hello, says('user', imageById)], 'items')?.param, 'items[1].content[0].file_id'));
  void test('the message says what to do', () =>
    assert.match(unsupportedItem('chat', [says('user', imageById)], 'input')?.message ?? '', /give image_url/));
});
