/** Prometheus' text format as a map from a series, such as `name{label="x"}`, to its number. */
export function numbersIn(text: string): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, series = '', value = ''] = /^([^#]\S*(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    if (series !== '') numbers.set(series, Number(value));
  }
  return numbers;
}

/** The series of one metric that are not 0. */
export function seriesOf(text: string, name: string): Record<string, number> {
  return Object.fromEntries(
    [...numbersIn(text)]
      .filter(([series, value]) => (series === name || series.startsWith(`${name}{`)) && value !== 0)
      .map(([series, value]) => [series.slice(name.length), value]),
  );
}
