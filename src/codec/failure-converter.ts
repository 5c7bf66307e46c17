/**
 * Temporal's default failure converter, set to put the messages and stacks of failures into a payload: outside of
 * payloads they would not be encrypted. Worker and workflow sandbox load this module by its path, so it may import
 * nothing but `@temporalio/common`.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
