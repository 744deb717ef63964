// The same request as a program would make it.
export const KEY = "gf_••••••••";

const WRITERS = { curl, python, javascript };

export function sample(language, url, body) {
  return WRITERS[language](url, body);
}

function curl(url, body) {
  const json = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return `curl -X POST '${url}' \\\n  -H 'X-API-Key: ${KEY}' \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`;
}

function python(url, body) {
  const lines = Object.entries(body).map(([name, value]) => `        ${JSON.stringify(name)}: ${literal(value)},`);
  return [
    "import httpx",
    "",
    "answer = httpx.post(",
    `    ${JSON.stringify(url)},`,
    `    headers={"X-API-Key": ${JSON.stringify(KEY)}},`,
    "    json={",
    ...lines,
    "    },",
    ")",
    "answer.raise_for_status()",
    'print(answer.json()["messageId"])',
  ].join("\n");
}

function literal(value) {
  return { true: "True", false: "False", null: "None" }[String(value)] ?? JSON.stringify(value);
}

function javascript(url, body) {
  const json = JSON.stringify(body, null, 2).replaceAll("\n", "\n  ");
  return [
    `const answer = await fetch(${JSON.stringify(url)}, {`,
    '  method: "POST",',
    `  headers: { "X-API-Key": ${JSON.stringify(KEY)}, "Content-Type": "application/json" },`,
    `  body: JSON.stringify(${json}),`,
    "});",
    "const { messageId } = await answer.json();",
    "console.log(messageId);",
  ].join("\n");
}
