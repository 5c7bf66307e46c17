/** The page at `/`: links to everything else. */
export const landingPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>turnkeep</title>
<style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui;max-width:42rem;margin:3rem auto;padding:0 1rem}
code,pre{background:color-mix(in srgb,currentColor 8%,transparent);padding:.1em .3em;border-radius:.25rem}pre{padding:.6rem;overflow:auto}
</style>
<h1>turnkeep</h1>
<p>A durable OpenAI Responses API is running here. Point any OpenAI client at <code>/v1</code>:</p>
<pre>curl -N <span id="origin"></span>/v1/responses \\
  -H 'content-type: application/json' \\
  -d '{"input": "Hello", "stream": true}'</pre>
<p>Chat Completions are at <code>/v1/chat/completions</code>; the AI SDK's <code>useChat</code> works with <code>/api/chat</code>.</p>
<ul>
<li><a href="/docs">/docs</a>: the API, to read; for programs <a href="/openapi.json">/openapi.json</a></li>
<li><a href="/readyz">/readyz</a>: is everything up? <a href="/metrics">/metrics</a>: how is it?</li>
<li><code>/v1/models</code>: the provider's models</li>
<li><code>/turns/{id}</code>: what happened in a turn, attempt by attempt</li>
<li><code>/stats</code>: how turns ended, and what they cost</li>
</ul>
<script>document.getElementById('origin').textContent = location.origin;</script>
</html>
`;
