/** The errors behind a failure as data, for whoever asks later what broke. Pure. */
import type { FailureCause } from '../../domain/failure.ts';
import { chainOf, codeOf, maskedResetCode, resetMessage } from './transport-failure.ts';

const mostCauses = 8;
const longestMessage = 300;

/** Errors without a code whose words are known to quote nothing. */
const plainErrors: ReadonlySet<string> = new Set(['HttpStatusError', 'HTTPParserError']);

/**
 * The chain of an error, the outermost first. T11: what Node and undici say of a connection names hosts and codes. An error
 * without a code may come from any parser, and quote what it could not read: of such a one the class alone is kept.
 */
export function causesOf(error: unknown): readonly FailureCause[] {
  return chainOf(error)
    .slice(0, mostCauses)
    .map((link) => {
      const code = codeOf(link);
      const isPlain = code !== undefined || plainErrors.has(link.name);
      const message = isPlain ? link.message : (resetMessage.exec(link.message)?.[0] ?? '');
      return {
        name: link.name,
        ...(code === undefined ? {} : { code: code === maskedResetCode ? 'ECONNRESET' : code }),
        message: message.slice(0, longestMessage).toWellFormed(),
      };
    });
}
