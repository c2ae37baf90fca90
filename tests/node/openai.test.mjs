// The official OpenAI SDK of Node against a gateway: answers live and given again, streams, tools, errors.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI, * as errors from "openai";

import { CHAT_ONLY, ERRORS, GATEWAY, MESSAGES_ONLY, PATIENT, collect, newQuestion, plain, unless } from "./house.mjs";

const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "sk-any", maxRetries: 0, timeout: 10_000 });
const TOOL = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};

const chat = (content, more = {}) => ({ model: "gpt-4o-mini", messages: [{ role: "user", content }], ...more });
const headersOf = async (call) => (await call.withResponse()).response.headers;

test("an answer given again is the same object", async () => {
  const body = chat(newQuestion());
  const [live, again] = [await client.chat.completions.create(body), await client.chat.completions.create(body)];
  assert.deepEqual(plain(again), plain(live));
  assert.ok(live.choices[0].message.content);
  assert.ok(live.usage.prompt_tokens > 0);
  const headers = await headersOf(client.chat.completions.create(body));
  assert.match(headers.get("cache-status"), /^pennyworth; hit/);
});

test("a stream given again is the same list of events", async () => {
  const body = chat(newQuestion(), { stream: true, stream_options: { include_usage: true } });
  const live = await collect(await client.chat.completions.create(body));
  assert.deepEqual(await collect(await client.chat.completions.create(body)), live);
  assert.ok(live.at(-1).usage.completion_tokens > 0);
});

test("the helper for streams puts the same completion together, live, given again and asked whole", async () => {
  const body = chat(newQuestion());
  const live = await client.chat.completions.stream(body).finalChatCompletion();
  const again = await client.chat.completions.stream(body).finalChatCompletion();
  assert.deepEqual(plain(again), plain(live));
  const whole = await client.chat.completions.create(body);
  assert.equal(live.choices[0].message.content, whole.choices[0].message.content);
});

test("a tool call is the same, whole and streamed", async () => {
  const body = chat(newQuestion("FAULT:tool_calls"), { tools: [TOOL], tool_choice: "required" });
  const [whole] = (await client.chat.completions.create(body)).choices;
  const [streamed] = (await client.chat.completions.stream(body).finalChatCompletion()).choices;
  assert.equal(whole.finish_reason, "tool_calls");
  assert.equal(streamed.message.tool_calls[0].function.arguments, whole.message.tool_calls[0].function.arguments);
});

for (const [status, name] of ERRORS) {
  test(`${status} of the provider is a ${name}`, async () => {
    for (const stream of [false, true]) {
      const call = client.chat.completions.create(chat(newQuestion(`FAULT:status=${status}`), { stream }));
      const error = await call.then(() => assert.fail("it was answered"), (reason) => reason);
      assert.ok(error instanceof errors[name], `${error}`);
      assert.equal(error.status, status);
    }
  });
}

test("a reply that does not come in time is a timeout of the SDK's own", async () => {
  const call = client.chat.completions.create(chat(newQuestion("FAULT:hang")), { timeout: 300, headers: PATIENT });
  await assert.rejects(call, errors.APIConnectionTimeoutError);
});

test("a stream that breaks off throws while it is read", async () => {
  const stream = await client.chat.completions.create(chat(newQuestion("FAULT:cut=4"), { stream: true }));
  await assert.rejects(collect(stream), errors.APIError);
});

test("what is passed through has its errors as the SDK's exceptions, and its receipt", async () => {
  const error = await client.files.retrieve("file-nowhere").then(() => assert.fail(), (reason) => reason);
  assert.ok(error instanceof errors.NotFoundError, `${error}`);
  assert.ok(error.headers.get("x-pennyworth-receipt"));
});

test("a response given again is the same object, and its stream the same events", unless("responses"), async () => {
  const body = { model: "gpt-4o-mini", input: newQuestion(), store: false };
  const [live, again] = [await client.responses.create(body), await client.responses.create(body)];
  assert.deepEqual(plain(again), plain(live));
  assert.ok(live.output_text);
  const streamed = { ...body, input: newQuestion(), stream: true };
  const events = await collect(await client.responses.create(streamed));
  assert.deepEqual(await collect(await client.responses.create(streamed)), events);
});

test("the helper for streams of responses ends in the response", unless("responses"), async () => {
  const body = { model: "gpt-4o-mini", input: newQuestion(), store: false };
  const live = await client.responses.stream(body).finalResponse();
  const again = await client.responses.stream(body).finalResponse();
  assert.deepEqual(plain(again), plain(live));
  assert.ok(live.output_text);
});

for (const [status, name] of ERRORS) {
  test(`${status} of the provider is a ${name} for responses too`, unless("responses"), async () => {
    const call = client.responses.create({ model: "gpt-4o-mini", input: newQuestion(`FAULT:status=${status}`), store: false });
    const error = await call.then(() => assert.fail("it was answered"), (reason) => reason);
    assert.ok(error instanceof errors[name], `${error}`);
    assert.equal(error.status, status);
  });
}

test("embeddings given again are the same numbers, in either encoding", unless("embeddings"), async () => {
  for (const encoding_format of [undefined, "float"]) {
    const body = { model: "text-embedding-3-small", input: [newQuestion(), newQuestion()], ...(encoding_format && { encoding_format }) };
    const [live, again] = [await client.embeddings.create(body), await client.embeddings.create(body)];
    assert.deepEqual(plain(again.data), plain(live.data));
    assert.ok(live.data[0].embedding.length > 0);
  }
});

test("chat is asked of a provider that speaks Messages alone", unless("translation", "messages"), async () => {
  const across = new OpenAI({ baseURL: `${MESSAGES_ONLY}/v1`, apiKey: "sk-any", maxRetries: 0 });
  const body = chat(newQuestion(), { model: "claude-sonnet-5", max_tokens: 400 });
  const [live, again] = [await across.chat.completions.create(body), await across.chat.completions.create(body)];
  assert.deepEqual(plain(again), plain(live));
  assert.equal(live.choices[0].finish_reason, "stop");
  const streamed = await across.chat.completions.stream(body).finalChatCompletion();
  assert.equal(streamed.choices[0].message.content, live.choices[0].message.content);
  const error = await across.chat.completions.create(chat(newQuestion("FAULT:status=429"), { model: "claude-sonnet-5" })).catch((reason) => reason);
  assert.ok(error instanceof errors.RateLimitError, `${error}`);
});

test("responses are asked of a provider that speaks chat alone", unless("translation", "responses"), async () => {
  const across = new OpenAI({ baseURL: `${CHAT_ONLY}/v1`, apiKey: "sk-any", maxRetries: 0 });
  const body = { model: "gpt-4o-mini", input: newQuestion(), store: false };
  const live = await across.responses.create(body);
  assert.ok(live.output_text);
  assert.equal((await across.responses.create(body)).output_text, live.output_text);
  assert.equal((await across.responses.stream(body).finalResponse()).output_text, live.output_text);
});
