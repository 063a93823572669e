import { asDormouseError, DormouseError } from "../errors.ts";
import type { Handler } from "./handler.ts";
import { randomUUID } from "node:crypto";
import express, { type NextFunction, type Request, type RequestHandler, type Response } from "express";
import type { Authorize } from "./authorize.ts";
import { isEventRequest, readEvent } from "./cloud-event.ts";
import { eventStatus, toProblemDetails } from "./problem.ts";
import type { Log } from "../log.ts";
import { answerRun } from "./answer-run.ts";
import { type OwnAddress, refuseForeign } from "./own-address.ts";
import type { Runs } from "../run/runs.ts";
import { findTraceparent } from "../trace.ts";
import { takeEvent } from "./take-event.ts";
import { inFlight, authorizeWork, guard, shown } from "./guard.ts";
import type { Report } from "../doctor/finding.ts";

type AppDependencies = {
  readonly handler: Handler;
  readonly runs: Runs;
  readonly log: Log;
  readonly authorize: Authorize;
  /** Why the function is not ready, if it is not. */
  readonly trouble?: (() => DormouseError | undefined) | undefined;
  readonly authorizeEvent?: Authorize | undefined;
  /** Sends a test message to each target that is configured, and says what became of it. */
  readonly sendTests?: ((signal: AbortSignal) => Promise<Report>) | undefined;
  /** By which names the function is asked. */
  readonly own?: OwnAddress | undefined;
  /** Answers the requests with which the function keeps its pod. */
  readonly hold?: { readonly path: string; readonly answer: RequestHandler } | undefined;
};

const NO_NAMES: OwnAddress = { service: undefined, namespace: undefined, domain: "", allowed: [] };
const MAX_BODY_KIB = 64;
const RETRY_AFTER_SECONDS = "5";
/** At once, of callers that need no token or are not authenticated yet. */
const MAX_OF_STRANGERS = 256;
/** At once, of authenticated callers, most of which wait for the end of a run. */
const MAX_OF_CALLERS = 64;

export function createApp(dependencies: AppDependencies): express.Express {
  const { handler, runs, log } = dependencies;
  const app = express();
  app.disable("x-powered-by").disable("etag");
  const readBody = express.text({ type: () => true, limit: MAX_BODY_KIB * 1024 });

  answerHealth(app, dependencies);
  if (dependencies.hold !== undefined) app.post(dependencies.hold.path, dependencies.hold.answer);
  app.use(refuseForeign(dependencies.own ?? NO_NAMES));
  const asEvent: RequestHandler[] = [
    onlyEvents,
    inFlight(MAX_OF_STRANGERS),
    knownSenders(dependencies),
    readBody,
  ];
  app.post("/", asEvent, async (request: Request, response: Response) => {
    await takeEvent(handler, runs, readEvent(request.headers, bodyText(request)));
    // A sender only needs to know that the run is recorded: it retries what it takes for a failure.
    response.status(202).end();
  });
  // From here on nothing is an event, whatever its headers say.
  app.use(inFlight(MAX_OF_STRANGERS), guard(dependencies.authorize), inFlight(MAX_OF_CALLERS));
  app.post("/", readBody, async (request, response) =>
    answerRun(request, response, await takeRequest(dependencies, request, response), handler.answer),
  );
  answerReads(app, dependencies);
  takeTests(app, dependencies);
  app.all(["/", "/runs", "/runs/:id", "/doctor"], (request, response) => {
    const methods = allowed(request.path, handler);
    response.set("Allow", methods);
    throw new DormouseError("method_not_allowed", `${request.method} is not for ${request.path}`, {
      hint: methods === "" ? "nothing of this function is there" : `what it takes: ${methods}`,
    });
  });
  app.use((request) => {
    throw new DormouseError("route_not_found", `there is nothing at ${request.path}`, {
      hint: "POST / does the work",
    });
  });
  app.use(errorAnswer(log));
  return app;
}

function answerHealth(app: express.Express, { trouble }: AppDependencies): void {
  app.get("/health/liveness", (_, response) => void response.json({ status: "up" }));
  app.get("/health/readiness", (_, response) => {
    const found = trouble?.();
    if (found !== undefined) throw found;
    response.json({ status: "up" });
  });
}

/** Before the body of an event is read, where senders are asked for a token. */
function knownSenders({ authorizeEvent }: AppDependencies): RequestHandler {
  return authorizeEvent === undefined ? (_request, _response, next) => next() : guard(authorizeEvent);
}

/** What is no event goes on to the next route. */
const onlyEvents: RequestHandler = (request, response, next) => {
  if (!isEventRequest(request.headers)) return next("route");
  response.locals["isEvent"] = true;
  next();
};

/** A 405 has to say it (RFC 9110, 15.5.6). */
function allowed(path: string, { show, runChecks }: Handler): string {
  if (path === "/") return show === undefined ? "POST" : "GET, HEAD, POST";
  if (path.startsWith("/doctor")) return runChecks === undefined ? "" : "GET, HEAD, POST";
  return "GET, HEAD";
}

function answerReads(app: express.Express, { runs, handler }: AppDependencies): void {
  app.get("/runs/:id", async (request, response) => {
    const run = await runs.find(request.params.id);
    // The volume holds runs of the other functions as well: reading those needs a right on that function.
    if (run === undefined || run.kind !== handler.kind || !handler.covers(run.database))
      throw new DormouseError("run_not_found", `there is no run ${JSON.stringify(request.params.id)}`, {
        hint: "each function shows its own; they are kept until 200 newer ones have ended",
      });
    response.json(run);
  });
  const { show, runChecks, kind, covers } = handler;
  app.get(
    "/runs",
    shown(async () => ({ runs: await runs.latest(kind, covers) })),
  );
  if (show !== undefined) app.get("/", shown(show));
  if (runChecks !== undefined) app.get("/doctor", shown(runChecks));
}

/** `send=true` is asked for, so that a POST by mistake rings no bell. */
function takeTests(app: express.Express, { authorize, log, sendTests }: AppDependencies): void {
  if (sendTests === undefined) return;
  const send = shown(sendTests);
  app.post("/doctor", async (request, response) => {
    const { name } = await authorizeWork(authorize, request, response, ["notify"]);
    if (request.query["send"] !== "true")
      throw new DormouseError("request_invalid", "POST /doctor was asked for nothing", {
        hint: "POST /doctor?send=true sends a test message to each target; GET /doctor looks and sends nothing",
      });
    log.info("test messages asked for", { caller: name });
    await send(request, response);
  });
}

async function takeRequest(dependencies: AppDependencies, request: Request, response: Response) {
  const { handler, runs, authorize } = dependencies;
  const { kind, work } = handler;
  const trigger = { source: "http", id: idempotencyKey(request) };
  const body = jsonBody(request);
  const caller = await authorizeWork(authorize, request, response, handler.verbsOf(body));
  const asked = await handler.parseBody(body);
  const database = handler.databaseOf(asked);
  const traceparent = findTraceparent(request.get("traceparent"));
  return runs.start({ kind, database, trigger, request: asked, caller: caller.name, traceparent }, work);
}

function jsonBody(request: Request): unknown {
  const text = bodyText(request);
  const given = request.get("content-type");
  const isNothing = text.trim() === "";
  // A foreign page may send a form or plain text, but nothing with the type JSON.
  const isJson = given === undefined ? isNothing : /^[^;]*[/+]json\s*(;|$)/i.test(given);
  if (!isJson) {
    throw new DormouseError("media_type_unsupported", `a body of type ${given ?? "none"}`, {
      hint: "send JSON with Content-Type: application/json",
    });
  }
  if (isNothing) return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DormouseError("request_invalid", `the body is not JSON: ${String(error)}`, {
      hint: "send a JSON object, or no body at all",
      cause: error,
    });
  }
}

/** draft-ietf-httpapi-idempotency-key-header: a string, with or without the quotes of a structured field. */
function idempotencyKey(request: Request): string {
  const header = request.get("idempotency-key");
  if (header === undefined) return randomUUID();
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new DormouseError("request_invalid", "Idempotency-Key is not 1 to 255 visible ASCII characters", {
    hint: "a UUID for each thing that you want done once is best",
  });
}

function bodyText(request: Request): string {
  return typeof request.body === "string" ? request.body : "";
}

function errorAnswer(log: Log) {
  return (error: unknown, request: Request, response: Response, next: NextFunction): void => {
    const ours = asDormouseError(fromExpress(error));
    if (ours.code === "internal") log.error("request failed", { path: request.path, error: String(error) });
    // The connection is all that is left to end once an answer has begun.
    if (response.headersSent) return next(error);
    if (response.locals["isEvent"] === true) {
      const status = eventStatus(ours.code);
      log.warn("event refused", { code: ours.code, error: ours.message, status });
      if (status === 503) response.set("Retry-After", RETRY_AFTER_SECONDS);
      return void response.status(status).end();
    }
    const problem = toProblemDetails(ours);
    if (problem.status === 503 || problem.status === 429) response.set("Retry-After", RETRY_AFTER_SECONDS);
    if (problem.status === 401) response.set("WWW-Authenticate", "Bearer");
    response.status(problem.status).type("application/problem+json").json(problem);
  };
}

/** body-parser distinguishes its faults by `type` (https://expressjs.com/en/resources/middleware/body-parser.html#errors). */
function fromExpress(error: unknown): unknown {
  const type = error instanceof Error && "type" in error ? String(error.type) : "";
  if (type === "entity.too.large") {
    return new DormouseError("body_too_large", `the body is larger than ${MAX_BODY_KIB} KiB`, {
      hint: "no request needs as much: docs/http.md has what each function takes",
      cause: error,
    });
  }
  if (error instanceof Error && ["charset.unsupported", "encoding.unsupported"].includes(type)) {
    return new DormouseError("media_type_unsupported", `the body cannot be read: ${error.message}`, {
      hint: "send it in UTF-8, as it is or compressed with gzip, deflate or br",
      cause: error,
    });
  }
  const isRequest = error instanceof Error && "status" in error && error.status === 400;
  return isRequest
    ? new DormouseError("request_invalid", `the request cannot be read: ${error.message}`, {
        hint: "was it cut on its way, or compressed without saying so?",
      })
    : error;
}
