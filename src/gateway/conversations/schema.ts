/** What `/v1/conversations` lets in. */
import { z } from 'zod';
import { handItem } from '../responses/item-schema.ts';
import { include, metadata } from '../http/request-fields.ts';

const mostItems = 1_000;
const items = z.array(handItem).max(mostItems, `has ${mostItems} items at most`);

export const createConversation = z.strictObject({ metadata: metadata.nullish(), items: items.nullish() });
export const updateConversation = z.strictObject({ metadata: metadata.nullable() });
export const createItems = z.strictObject({ items: items.min(1, 'must not be empty'), include: include.nullish() });
