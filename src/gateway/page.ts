/** The page at `/`, until there is a real one: where everything is. */
export const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>turnkeep</title>
<style>body{font:16px/1.5 system-ui;max-width:42rem;margin:3rem auto;padding:0 1rem}code,pre{background:#f4f4f4;padding:.1em .3em}</style>
<h1>turnkeep</h1>
<p>A durable OpenAI Responses API is running here. Point any OpenAI client at <code>/v1</code>:</p>
<pre>curl -N /v1/responses -H 'content-type: application/json' \\
  -d '{"input": "Hello", "stream": true}'</pre>
<ul>
<li><a href="/readyz">/readyz</a>: is everything up?</li>
<li><a href="/v1/models">/v1/models</a>: the provider's models</li>
<li><code>/turns/{id}</code>: what happened in a turn, attempt by attempt</li>
</ul>
</html>
`;
