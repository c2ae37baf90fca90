// What the tests of all SDKs share: where the gateways are, and questions that nobody has asked before.

const env = (name) => process.env[name] ?? "";

export const GATEWAY = env("GATEWAY_URL");
export const CHAT_ONLY = env("CHAT_ONLY_URL");
export const MESSAGES_ONLY = env("MESSAGES_ONLY_URL");
const spoken = new Set(env("SPOKEN").split(","));

/** The `skip` of a test: a reason, where this gateway does not speak a dialect yet. */
export const unless = (...dialects) => {
  const missing = dialects.filter((dialect) => !spoken.has(dialect));
  return { skip: missing.length > 0 && `the gateway does not speak ${missing.join(", ")}` };
};

let asked = 0;
export const newQuestion = (more = "") => `${more} What does rule ${process.pid}.${++asked} of the house say?`.trim();

/** A value as JSON has it: what two parsed objects have in common is all that an application can see of them. */
export const plain = (value) => JSON.parse(JSON.stringify(value));

export const collect = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(plain(event));
  return events;
};

/** Statuses that a provider may answer with, and the name of the exception each becomes in both SDKs. */
export const ERRORS = [
  [400, "BadRequestError"],
  [401, "AuthenticationError"],
  [403, "PermissionDeniedError"],
  [404, "NotFoundError"],
  [409, "ConflictError"],
  [422, "UnprocessableEntityError"],
  [429, "RateLimitError"],
  [500, "InternalServerError"],
  [529, "InternalServerError"],
];

/** The SDK tells how long it waits, and the gateway would say that it was too long at the very moment. */
export const PATIENT = { "x-pennyworth-timeout": "60" };
