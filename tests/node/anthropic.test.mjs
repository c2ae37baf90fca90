// The official Anthropic SDK of Node against a gateway: answers live and given again, streams, tools, errors.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic, * as errors from "@anthropic-ai/sdk";

import { CHAT_ONLY, ERRORS, GATEWAY, PATIENT, collect, newQuestion, plain, unless } from "./house.mjs";

const client = new Anthropic({ baseURL: GATEWAY, apiKey: "sk-any", maxRetries: 0, timeout: 10_000 });
const spoken = unless("messages");
const TOOL = { name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } };

const ask = (content, more = {}) => ({
  model: "claude-sonnet-5",
  max_tokens: 400,
  messages: [{ role: "user", content }],
  ...more,
});
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

test("a message given again is the same object", spoken, async () => {
  const body = ask(newQuestion());
  const [live, again] = [await client.messages.create(body), await client.messages.create(body)];
  assert.deepEqual(plain(again), plain(live));
  assert.equal(live.stop_reason, "end_turn");
  assert.ok(textOf(live));
  const { response } = await client.messages.create(body).withResponse();
  assert.match(response.headers.get("cache-status"), /^pennyworth; hit/);
});

test("a stream given again is the same list of events", spoken, async () => {
  const body = ask(newQuestion(), { stream: true });
  const live = await collect(await client.messages.create(body));
  assert.deepEqual(await collect(await client.messages.create(body)), live);
  assert.equal(live.at(-1).type, "message_stop");
});

test("the helper for streams puts the same message together, live, given again and asked whole", spoken, async () => {
  const body = ask(newQuestion());
  const live = await client.messages.stream(body).finalMessage();
  assert.deepEqual(plain(await client.messages.stream(body).finalMessage()), plain(live));
  assert.equal(textOf(await client.messages.create(body)), textOf(live));
});

test("a tool use is the same, whole and streamed", spoken, async () => {
  const body = ask(newQuestion("FAULT:tool_calls"), { tools: [TOOL], tool_choice: { type: "any" } });
  const used = (message) => message.content.find((block) => block.type === "tool_use");
  const whole = await client.messages.create(body);
  assert.equal(whole.stop_reason, "tool_use");
  assert.deepEqual(used(await client.messages.stream(body).finalMessage()).input, used(whole).input);
});

test("tokens are counted", spoken, async () => {
  const { input_tokens } = await client.messages.countTokens({ model: "claude-sonnet-5", messages: [{ role: "user", content: "hi" }] });
  assert.ok(input_tokens > 0);
});

for (const [status, name] of ERRORS) {
  test(`${status} of the provider is a ${name}`, spoken, async () => {
    for (const stream of [false, true]) {
      const call = client.messages.create(ask(newQuestion(`FAULT:status=${status}`), { stream }));
      const error = await call.then(() => assert.fail("it was answered"), (reason) => reason);
      assert.ok(error instanceof errors[name], `${error}`);
      assert.equal(error.status, status);
      assert.equal(error.error.type, "error", "in Anthropic's own shape");
    }
  });
}

test("a reply that does not come in time is a timeout of the SDK's own", spoken, async () => {
  const call = client.messages.create(ask(newQuestion("FAULT:hang")), { timeout: 300, headers: PATIENT });
  await assert.rejects(call, errors.APIConnectionTimeoutError);
});

test("a stream that breaks off throws while it is read", spoken, async () => {
  await assert.rejects(collect(await client.messages.create(ask(newQuestion("FAULT:cut=4"), { stream: true }))), errors.APIError);
});

test("messages are asked of a provider that speaks chat alone", unless("translation", "messages"), async () => {
  const across = new Anthropic({ baseURL: CHAT_ONLY, apiKey: "sk-any", maxRetries: 0 });
  const body = ask(newQuestion(), { model: "gpt-4o-mini" });
  const live = await across.messages.create(body);
  assert.deepEqual(plain(await across.messages.create(body)), plain(live));
  assert.equal(live.stop_reason, "end_turn");
  assert.equal(textOf(await across.messages.stream(body).finalMessage()), textOf(live));
  const tools = ask(newQuestion("FAULT:tool_calls"), { model: "gpt-4o-mini", tools: [TOOL], tool_choice: { type: "any" } });
  assert.equal((await across.messages.create(tools)).stop_reason, "tool_use");
  assert.equal((await across.messages.stream(tools).finalMessage()).stop_reason, "tool_use");
  const error = await across.messages.create(ask(newQuestion("FAULT:status=429"), { model: "gpt-4o-mini" })).catch((reason) => reason);
  assert.ok(error instanceof errors.RateLimitError, `${error}`);
  assert.equal(error.error.type, "error");
});
