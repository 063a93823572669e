import * as http from "node:http";
import * as https from "node:https";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { Failure } from "../failure.ts";
import type { FunctionName } from "../wire.ts";

/** How one function is reached. */
export type Endpoint = {
  readonly base: URL;
  /** Asked for each request: tokens are short-lived. */
  readonly token: () => Promise<string | undefined>;
  /** A connection to what answers by that name, where its address leads nowhere from here. */
  readonly connect?: () => Promise<Duplex>;
  /** Whether it may have to be woken first. */
  readonly sleeps: boolean;
};

export type Asked = {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

export type Remote = {
  readonly name: FunctionName;
  /** The answer, whatever its status. Throws `Failure` with the code `unreachable` where there is none. */
  request(method: "GET" | "POST", path: string, asked?: Asked): Promise<http.IncomingMessage>;
  /** Throws `Failure` for an answer that says no. */
  get<Answer>(path: string, signal?: AbortSignal): Promise<Answer>;
  post<Answer>(body: unknown, path?: string): Promise<Answer>;
};

/** A run that ends soon, or a catalog of thousands of backups from a function that must be woken. */
const ANSWER_MS = 120_000;

export type Request = Remote["request"];

export function requestsOf(name: FunctionName, endpoint: Endpoint): Request {
  return async (method, path, { body, headers = {}, signal } = {}) => {
    const token = await endpoint.token();
    const connection = endpoint.connect === undefined ? undefined : await endpoint.connect();
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const options: https.RequestOptions = {
      method,
      headers: {
        accept: "application/json",
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(sent === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
      },
      ...(signal === undefined ? {} : { signal }),
      ...(connection === undefined ? {} : { createConnection: () => connection }),
    };
    return new Promise((resolve, reject) => {
      const module = endpoint.base.protocol === "https:" ? https : http;
      const asking = module.request(new URL(`${basePath(endpoint.base)}${path}`, endpoint.base), options);
      asking.once("response", resolve);
      asking.once("error", (error) => reject(unreachable(name, endpoint.base, error)));
      asking.end(sent);
    });
  };
}

export function remoteOf(name: FunctionName, request: Request): Remote {
  return {
    name,
    request,
    async get(path, signal) {
      const signals = [AbortSignal.timeout(ANSWER_MS), ...(signal === undefined ? [] : [signal])];
      return read(name, await request("GET", path, { signal: AbortSignal.any(signals) }));
    },
    async post(body, path = "/") {
      return read(name, await request("POST", path, { body, signal: AbortSignal.timeout(ANSWER_MS) }));
    },
  };
}

function basePath({ pathname }: URL): string {
  return pathname.replace(/\/$/, "");
}

/** The JSON of an answer. Throws `Failure` with what the function says where it says no. */
export async function read<Answer>(name: FunctionName, answer: http.IncomingMessage): Promise<Answer> {
  const body = await text(answer);
  const { statusCode: status = 0 } = answer;
  if (status < 400) return parsed(name, body) as Answer;
  throw refusal(name, status, body);
}

function parsed(name: FunctionName, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new Failure(`${name} answered with what is no JSON`, {
      hint: "is that the address of the function?",
      cause: error,
    });
  }
}

/** RFC 9457 in an answer; a record has `message` for its `detail`. */
export type Problem = {
  readonly code?: string | undefined;
  readonly detail?: string;
  readonly message?: string;
  readonly hint?: string | undefined;
};

/** RFC 9457, as the functions answer; or whatever stands in front of them. */
export function refusal(name: FunctionName, status: number, body: string): Failure {
  try {
    const problem = JSON.parse(body) as Problem;
    if (typeof problem.detail === "string") return describeFailure(problem);
  } catch {
    // Not a function's own words.
  }
  const hint =
    status === 404 || status >= 500
      ? "it was not the function that answered: look at its revision and the ingress"
      : "look at what stands in front of the function";
  return new Failure(`${name} was answered for with status ${status}: ${body.trim().slice(0, 200)}`, {
    hint,
  });
}

export function describeFailure(problem: Problem): Failure {
  const { code, hint } = problem;
  return new Failure(problem.detail ?? problem.message ?? "it failed without a reason", {
    code,
    hint,
    problem,
  });
}

function unreachable(name: FunctionName, { host }: URL, error: Error): Failure {
  const why = error.message === "" ? String("code" in error ? error.code : error.name) : error.message;
  return new Failure(`${name} does not answer at ${host}: ${why}`, {
    code: "unreachable",
    hint: "is it there, and is that its address?",
    cause: error,
  });
}
