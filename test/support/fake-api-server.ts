import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { forwardTo } from "./port-forward.ts";

type Json = Record<string, unknown>;

/** What was asked of the server, in its own words. */
export type ApiRequest = {
  readonly method: string;
  readonly path: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly user: string;
  readonly body: unknown;
};

export type Answer = { readonly status: number; readonly body: unknown };

/** A `Status` as kube-apiserver words it. */
export class ApiStatus extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export const notFound = (resource: string, name: string) =>
  new ApiStatus(404, "NotFound", `${resource} "${name}" not found`);

type Identity = { readonly key: string; readonly cert: string };

type ApiServerOptions = {
  readonly host: string;
  readonly identity: Identity | undefined;
  /** The user of a bearer token, or nobody. */
  readonly userOf: (token: string) => string | undefined;
  readonly isDenied: (request: ApiRequest) => boolean;
  readonly answer: (request: ApiRequest) => Answer | Promise<Answer>;
  /** The port of this machine that a port-forward leads to, to whatever pod. */
  readonly forwardTo?: number;
};

/** The HTTP of kube-apiserver: callers, content types, RBAC and its way to say no. */
export async function startApiServer(options: ApiServerOptions) {
  const { host, identity, userOf, isDenied, answer, forwardTo: port } = options;
  const admit = async (request: IncomingMessage): Promise<ApiRequest> => {
    const user = userOf(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
    if (user === undefined) throw new ApiStatus(401, "Unauthorized", "Unauthorized");
    const asked = await parse(request, user);
    if (isDenied(asked)) throw forbidden(asked);
    return asked;
  };
  const handle = async (request: IncomingMessage) => answer(await admit(request));
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    handle(request).then(
      ({ status, body }) => send(response, status, body),
      (error: unknown) => sendError(response, error),
    );
  };
  const server = identity === undefined ? createServer(listener) : createSecureServer(identity, listener);
  if (port !== undefined)
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
      admit(request).then(
        () => forwardTo(port, request, socket),
        ({ code }: ApiStatus) => socket.end(`HTTP/1.1 ${code} Refused\r\n\r\n`),
      );
    });
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  return {
    port: address.port,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const PATH =
  /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?(?:\/(?<plural>[a-z]+)(?:\/(?<name>[^/]+)(?<sub>\/[a-z]+)?)?)?$/;
const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

async function parse(request: IncomingMessage, user: string): Promise<ApiRequest> {
  const { method = "GET", url = "/", headers } = request;
  const { pathname, searchParams } = new URL(url, "http://api");
  const { plural = "", sub = "", name = "", namespace = "" } = partsOf(pathname);
  return {
    method,
    path: pathname,
    verb: VERBS[method] ?? (name === "" ? "list" : "get"),
    resource: `${plural}${sub}`,
    namespace,
    name,
    query: searchParams,
    contentType: String(headers["content-type"]).replace(/;.*/, ""),
    user,
    body: await bodyOf(request),
  };
}

function partsOf(path: string): Readonly<Record<string, string | undefined>> {
  const parts = PATH.exec(path)?.groups;
  if (parts !== undefined) return parts;
  throw new ApiStatus(404, "NotFound", "the server could not find the requested resource");
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  if (text === "") return undefined;
  const type = request.headers["content-type"] ?? "";
  if (!type.includes("json")) {
    throw new ApiStatus(
      415,
      "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: application/json",
    );
  }
  return JSON.parse(text);
}

function forbidden({ user, verb, resource, name, namespace, path }: ApiRequest): ApiStatus {
  const group = /^\/apis\/([^/]+)/.exec(path)?.[1] ?? "";
  const plural = resource.split("/")[0] + (group === "" ? "" : `.${group}`);
  return new ApiStatus(
    403,
    "Forbidden",
    `${plural}${name === "" ? "" : ` "${name}"`} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" in the namespace "${namespace}"`,
  );
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function sendError(response: ServerResponse, error: unknown): void {
  const { code, reason, message } =
    error instanceof ApiStatus ? error : new ApiStatus(500, "InternalError", String(error));
  send(response, code, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code,
  });
}

const PATCH_TYPES = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
];

/** The two kinds of patch that matter here, with the faults of the real server. */
export function patched(document: Json, { contentType, body }: ApiRequest): Json {
  if (!PATCH_TYPES.includes(contentType)) {
    const accepted = `accepted media types include: ${PATCH_TYPES.join(", ")}`;
    throw new ApiStatus(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - ${accepted}`,
    );
  }
  const isList = Array.isArray(body);
  if (contentType === "application/json-patch+json") {
    if (!isList)
      throw new ApiStatus(400, "BadRequest", "error decoding patch: json: cannot unmarshal object");
    return (body as Operation[]).reduce(operated, structuredClone(document));
  }
  if (isList) throw new ApiStatus(400, "BadRequest", "error decoding patch: json: cannot unmarshal array");
  return merged(document, body as Json);
}

type Operation = { readonly op: string; readonly path: string; readonly value: unknown };

function operated(document: Json, { op, path, value }: Operation): Json {
  const [key = "", ...parents] = path.split("/").slice(1).toReversed();
  const parent = parents
    .toReversed()
    .reduce<unknown>((node, name) => (node as Json | undefined)?.[name], document);
  const refuse = (message: string) => new ApiStatus(422, "", message);
  if (parent === undefined) throw refuse(`${op} operation does not apply: doc is missing path: ${path}`);
  const container = parent as Json;
  if (op === "test") {
    if (isDeepStrictEqual(container[key], value)) return document;
    throw refuse(`testing value ${path} failed: test failed`);
  }
  if (op === "replace" && !(key in container))
    throw refuse(`replace operation does not apply: doc is missing key: ${path}`);
  if (op !== "add" && op !== "replace") throw refuse(`Unexpected kind: ${op}`);
  container[key] = value;
  return document;
}

function merged(document: Json, changes: Json): Json {
  const result = { ...document };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete result[key];
    else if (typeof value === "object" && !Array.isArray(value))
      result[key] = merged((result[key] ?? {}) as Json, value as Json);
    else result[key] = value;
  }
  return result;
}
