/**
 * `/docs`: a page that shows `/openapi.json`. It fetches nothing from other hosts, and puts nothing of the description
 * into the page as markup.
 */
export const docsPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>turnkeep API</title>
<style>
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent);--soft:color-mix(in srgb,currentColor 6%,transparent)}
body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin:2rem 0 .5rem}details{border:1px solid var(--line);border-radius:.4rem;margin:.4rem 0}
summary{padding:.5rem .8rem;cursor:pointer;display:flex;gap:.8rem;align-items:baseline;flex-wrap:wrap}
summary>code{font-weight:600}td code{overflow-wrap:anywhere}.body{padding:0 .8rem .8rem;border-top:1px solid var(--line)}
.method{font:600 .75rem ui-monospace,monospace;min-width:3.6rem;text-transform:uppercase}
pre{background:var(--soft);padding:.6rem;border-radius:.4rem;overflow:auto;max-height:28rem;font-size:.85rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
small,.dim{opacity:.7}
</style>
<h1>turnkeep API</h1>
<p class="dim" id="about">Reading <a href="/openapi.json">/openapi.json</a> …</p>
<main id="routes"></main>
<script type="module">
const make = (tag, text, ...children) => {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  node.append(...children);
  return node;
};
// Code is marked in descriptions as Markdown marks it.
const prose = (tag, text) => make(tag, '', ...text.split('\`').map((part, index) => (index % 2 ? make('code', part) : part)));
const row = (...cells) => make('tr', '', ...cells.map((cell) => (cell instanceof Node ? make('td', '', cell) : make('td', cell))));
const schema = (value) => make('pre', JSON.stringify(value, null, 2));
const section = (title, ...children) => (children.length ? [make('h4', title), ...children] : []);

function operation(method, path, of) {
  const parameters = of.parameters.map((each) =>
    row(make('code', each.name), each.in + (each.required ? ', required' : ''), prose('span', each.description ?? ''), make('code', JSON.stringify(each.schema))),
  );
  const answers = Object.entries(of.responses).map(([status, answer]) =>
    row(make('code', status), prose('span', answer.description), Object.keys(answer.content ?? {}).join(', ')),
  );
  const body = of.requestBody?.content['application/json']?.schema;
  const answer = of.responses[200]?.content?.['application/json']?.schema;
  const inside = make('div', '', ...(of.description ? [prose('p', of.description)] : []));
  inside.className = 'body';
  inside.append(
    ...section('Parameters', ...(parameters.length ? [make('table', '', ...parameters)] : [])),
    ...section('Body', ...(body ? [schema(body)] : [])),
    ...section('Answers', make('table', '', ...answers), ...(answer ? [schema(answer)] : [])),
  );
  const verb = make('span', method);
  verb.className = 'method';
  return make('details', '', make('summary', '', verb, make('code', path), prose('small', of.summary)), inside);
}

const api = await (await fetch('/openapi.json')).json();
document.getElementById('about').replaceChildren(prose('span', api.info.description + ' Version ' + api.info.version + '.'));
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, of] of Object.entries(methods)) {
    const [tag] = of.tags;
    groups.set(tag, [...(groups.get(tag) ?? []), operation(method, path, of)]);
  }
}
for (const [tag, operations] of groups) document.getElementById('routes').append(make('h2', tag), ...operations);
</script>
</html>
`;
