// OpenAI's client for Node: one answer, one stream, one error. Prints a JSON object.
const OpenAI = require("openai");

async function main(url) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  const ask = {
    model: "rankloop",
    messages: [{ role: "user", content: "Hello!" }],
    seed: 7,
    max_tokens: 16,
  };

  const whole = await client.chat.completions.create(ask);
  const stream = await client.chat.completions.create({ ...ask, stream: true });
  const texts = [];
  for await (const chunk of stream) texts.push(chunk.choices[0]?.delta.content ?? "");
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  const status = await client.chat.completions
    .create({ ...ask, model: "no such" })
    .catch((error) => error.status);

  return {
    text: whole.choices[0].message.content,
    streamed: texts.join(""),
    models,
    unknown_model: status,
  };
}

main(process.argv[2]).then((found) => console.log(JSON.stringify(found)));
