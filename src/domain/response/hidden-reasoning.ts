/**
 * Encrypted reasoning that turnkeep asks for by itself. A provider of the Responses API stores nothing, so a model that calls tools
 * thinks anew in each step unless its own reasoning comes back with the calls (T13). A client that has not asked for it is not shown
 * it: it is in no event and in no item, but beside them, by the item's id, for the one model that it is of. Pure.
 */
import type { FailureCode } from '../failure.ts';
import type { Item, OutputItem } from '../item.ts';
import { asksFor, encryptedReasoning } from '../model.ts';
import type { ProviderApi } from '../provider-capabilities.ts';
import { askedModelOf, type ResponseSettings } from './response-settings.ts';

export interface HiddenReasoning {
  /** The id of its reasoning item. */
  readonly item: string;
  /** See `makerOf`. */
  readonly maker: string;
  readonly encrypted: string;
}

/** Who can read it: an agent keeps its name when it is given another provider or model. */
export function makerOf(settings: ResponseSettings): string {
  return `${settings.agent?.provider ?? 'default'}/${askedModelOf(settings)}`;
}

/** Only of turns whose tools a worker runs: all others end with their one answer, and their clients ask for what they need. */
export function hidesReasoning(settings: ResponseSettings, api: ProviderApi): boolean {
  const { agent } = settings;
  return api === 'responses' && agent !== undefined && agent.tools.length > 0 && !asksFor(settings, encryptedReasoning);
}

/** The items as their maker is to be told of them. */
export function withHidden<T extends Item>(items: readonly T[], hidden: readonly HiddenReasoning[], maker: string): readonly T[] {
  const known = new Map(hidden.flatMap((each) => (each.maker === maker ? [[each.item, each.encrypted]] : [])));
  if (known.size === 0) return items;
  return items.map((item) => {
    const encrypted = item.type === 'reasoning' && item.encrypted_content === undefined ? known.get(item.id) : undefined;
    return encrypted === undefined ? item : { ...item, encrypted_content: encrypted };
  });
}

/** A refused request, as it failed or as it was booked. */
interface Refusal {
  readonly code?: FailureCode;
  readonly detail?: string;
  /** In the provider's own words. */
  readonly words?: string | undefined;
}

/** Was it that encrypted reasoning was asked for? Models that do not reason refuse that. */
export function refusesToEncrypt({ code, detail = '', words = '' }: Refusal): boolean {
  if (code !== 'provider_rejected') return false;
  return / at include\b/.test(detail) || /encrypted content is not supported|['"`]include\b|\binclude['"`[]/i.test(words);
}

/** Was it that, or what was sent back? A provider cannot read what another deployment of it, or another key, has encrypted. */
export function refusesEncrypted(refusal: Refusal): boolean {
  if (refusesToEncrypt(refusal)) return true;
  return refusal.code === 'provider_rejected' && /encrypted[ _]content/i.test(`${refusal.detail} ${refusal.words}`);
}

/** What a stream has read of it and nobody has written yet. */
export class HiddenTexts {
  /** false: whoever reads the stream sees what is encrypted. */
  isHiding = false;
  readonly #unwritten = new Map<string, string>();

  /** @returns what the item is to be shown with */
  shownOf({ id }: OutputItem, encrypted: string | undefined): string | undefined {
    if (!this.isHiding || encrypted === undefined) return encrypted;
    this.#unwritten.set(id, encrypted);
    return undefined;
  }

  /** To be written in the commit that ends the step, or the turn: before that nobody is sent it. */
  take(maker: string): readonly HiddenReasoning[] {
    const taken = [...this.#unwritten].map(([item, encrypted]) => ({ item, maker, encrypted }));
    this.#unwritten.clear();
    return taken;
  }
}
