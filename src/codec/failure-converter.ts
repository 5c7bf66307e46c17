/**
 * Moves messages and stacks of failures into a payload, so that the codec reaches them: they are plain text otherwise.
 * Loaded by its path, in the worker and in the workflow sandbox: it may import nothing but `@temporalio/common`.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
