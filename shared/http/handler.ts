import type { Report } from "../doctor/finding.ts";
import type { Work } from "../run/execute-run.ts";
import type { NewRun, Run } from "../run/run.ts";
import type { Verb } from "./authorize.ts";
import type { IncomingEvent } from "./cloud-event.ts";

/** 207 where some of the parts have failed. */
export type Answer = { readonly status: number; readonly body: object };

/** What a function does with its requests; the rest of HTTP is the same for all three. */
export type Handler = {
  readonly kind: NewRun["kind"];
  /** Whether the runs of that database are this function's to show. */
  readonly covers: (database: string) => boolean;
  /** The database that a request is about. */
  readonly databaseOf: (request: NewRun["request"]) => string;
  /** A person's body as a request. Throws `request_invalid`. */
  parseBody(body: unknown): NewRun["request"] | Promise<NewRun["request"]>;
  /** An event as a request. Throws `event_unsupported`. */
  parseEvent(event: IncomingEvent): NewRun["request"] | Promise<NewRun["request"]>;
  /** Takes an event that needs no run of its own: it answers whether it did. */
  readonly onEvent?: (event: IncomingEvent) => Promise<boolean>;
  /** The one of these runs of its kind and database that does for what an event asks for as well. */
  readonly answeredBy?: (request: NewRun["request"], known: readonly Run[]) => Promise<Run | undefined>;
  readonly work: Work;
  /** What a caller is answered instead of the result, when a run of several parts has ended. */
  readonly answer?: (run: Run) => Promise<Answer | undefined>;
  /** What `GET /` answers, where there is something to show. */
  readonly show?: (signal: AbortSignal) => Promise<unknown>;
  /** What `GET /doctor` answers. */
  readonly runChecks?: (signal: AbortSignal) => Promise<Report>;
  /** The verbs that the caller of a POST must be allowed, each of them. Events are not asked: they say that it is time. */
  verbsOf(body: unknown): readonly [Verb, ...Verb[]];
};
