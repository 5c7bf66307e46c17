/** Two turns side by side: the first difference first, which may have led to all others. */
import { type ReactNode, useMemo, useState } from 'react';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { CallError, describeFailure } from '../../http-client/call-error.ts';
import type { Bundle } from '../../history/bundle.ts';
import { type Compared, comparedTurns, isDifferent } from '../../history/diff-turns.ts';
import { useGateway } from '../api/client.tsx';
import { to } from '../shell/route.ts';
import { plural } from '../shell/words.tsx';

export function DiffPage({ left, right }: { readonly left: string; readonly right: string }): ReactNode {
  const [one, other] = [useBundle(left), useBundle(right)];
  const places = useMemo(() => (one.data && other.data ? comparedTurns(one.data, other.data) : undefined), [one.data, other.data]);
  const [isWhole, setWhole] = useState(false);
  const error = one.error ?? other.error;
  const different = places?.filter(isDifferent) ?? [];
  return (
    <main className="page" id="main" tabIndex={-1} data-focus="main">
      <h1>Two turns</h1>
      <p role="status" className={error === null ? 'aside' : 'error'}>
        {error !== null
          ? `They cannot be compared: ${error instanceof CallError ? describeFailure(error.failure) : error.message}`
          : places === undefined
            ? 'Reading both turns.'
            : different.length === 0
              ? `The same in all ${plural(places.length, 'place')}. Ids, times and the wording of errors are no difference.`
              : `The first difference is ${different[0]?.at}. ${plural(different.length, 'place')} of ${places.length} differ.`}
      </p>
      {places === undefined ? null : (
        <>
          <label className="check">
            <input type="checkbox" checked={isWhole} onChange={(event) => setWhole(event.target.checked)} />
            Also what is the same
          </label>
          <div className="wide" tabIndex={0} role="group" aria-label="Comparison">
            <table className="diff">
              <thead>
                <tr>
                  <th scope="col">Place</th>
                  {[left, right].map((id, side) => (
                    <th scope="col" key={side === 0 ? 'left' : 'right'}>
                      <a href={to(['turns', id])}>{id}</a>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {(isWhole ? places : different).map((place) => (
                  <PlaceRow key={place.at} place={place} isFirst={place === different[0]} />
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </main>
  );
}

function PlaceRow({ place, isFirst }: { readonly place: Compared; readonly isFirst: boolean }): ReactNode {
  const from = isDifferent(place) ? differenceOf(place) : undefined;
  return (
    <tr className={isFirst ? 'first' : undefined}>
      <th scope="row">{place.at}</th>
      {[place.left, place.right].map((text, side) => (
        <td key={side === 0 ? 'left' : 'right'}>
          {text === undefined ? (
            <span className="aside">nothing</span>
          ) : from === undefined ? (
            excerpt(text)
          ) : (
            <>
              {text.slice(Math.max(0, from - shownBefore), from)}
              <mark>{excerpt(text.slice(from))}</mark>
            </>
          )}
        </td>
      ))}
    </tr>
  );
}

/** Of a long text, in characters. */
const shownBefore = 80;
const shownChars = 600;

function excerpt(text: string): string {
  return text.length <= shownChars ? text : `${text.slice(0, shownChars)} …`;
}

/** The first character that is not the same. */
function differenceOf({ left = '', right = '' }: Compared): number {
  let place = 0;
  while (place < left.length && left[place] === right[place]) place += 1;
  return place;
}

function useBundle(turn: string): UseQueryResult<Bundle> {
  const { client } = useGateway();
  return useQuery({
    queryKey: ['bundle', turn],
    queryFn: async ({ signal }) => (await client.json('GET', `/turns/${encodeURIComponent(turn)}/export`, { signal })) as Bundle,
    retry: false,
    gcTime: 0,
  });
}
