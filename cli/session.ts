import type { ClusterReport } from "./doctor/seen.ts";
import { wrongUsage } from "./failure.ts";
import type { Output } from "./output.ts";
import { remoteOf, requestsOf, type Remote, type Request, type Endpoint } from "./remote/client.ts";
import { durationText } from "./text/units.ts";
import type { FunctionName } from "./wire.ts";

/** How this call reaches the functions: by URLs, or through the cluster. */
export type Access = AsyncDisposable & {
  /** Throws `Failure` for a function that is not there. */
  readonly to: (name: FunctionName) => Promise<Endpoint>;
  /** The functions that are there. */
  readonly known: () => Promise<readonly FunctionName[]>;
  /** The options with which another call of this program reaches the same: ` -n hets`. */
  readonly options: string;
  /** When pings come to the functions, where that can be seen. */
  readonly schedules?: () => Promise<readonly Schedule[] | undefined>;
  /** What is at fault in the cluster, or would be once a folder was applied. */
  readonly examine?: (folder?: string) => Promise<ClusterReport>;
};

export type Schedule = {
  readonly to: FunctionName;
  readonly cron: string;
  /** UTC without one. */
  readonly timezone: string | undefined;
};

/** One call of the program. */
export type Session = {
  readonly output: Output;
  readonly access: Access;
  readonly remote: (name: FunctionName) => Promise<Remote>;
  /** A command line of this program that can be pasted. */
  readonly commandLine: (command: string) => string;
};

const WAKING_AFTER_MS = 1_500;

export function sessionOf(output: Output, access: Access, program: string): Session {
  const remotes = new Map<FunctionName, Promise<Remote>>();
  return {
    output,
    access,
    commandLine: (command) => `${program}${access.options} ${command}`,
    remote(name) {
      const known =
        remotes.get(name) ??
        access.to(name).then((endpoint) => remoteOf(name, waking(name, endpoint, output)));
      remotes.set(name, known);
      return known;
    },
  };
}

/** The first answer of a function that sleeps takes the time of a start: the terminal says what it waits for. */
function waking(name: FunctionName, endpoint: Endpoint, output: Output): Request {
  const request = requestsOf(name, endpoint);
  if (!endpoint.sleeps) return request;
  let isAwake = false;
  return async (...asked) => {
    if (isAwake) return request(...asked);
    const begun = Date.now();
    const timer = setTimeout(() => output.note(`waking the function ${name}`), WAKING_AFTER_MS);
    try {
      const answer = await request(...asked);
      const tookMs = Date.now() - begun;
      if (tookMs > WAKING_AFTER_MS && !isAwake)
        output.note(`${name} is awake, after ${durationText(tookMs)}`);
      isAwake = true;
      return answer;
    } finally {
      clearTimeout(timer);
    }
  };
}

/** `backup=http://localhost:8080,restore=http://localhost:8082` */
export function directAccess(text: string, token: () => Promise<string | undefined>): Access {
  const bases = new Map<string, URL>();
  for (const part of text.split(",")) {
    const [, name = "", address = ""] = /^(backup|cull|restore)=(https?:\/\/.+)$/.exec(part.trim()) ?? [];
    if (!URL.canParse(address))
      throw wrongUsage(
        `--url has ${JSON.stringify(part)}`,
        "write it like backup=http://localhost:8080,restore=http://localhost:8082",
      );
    bases.set(name, new URL(address));
  }
  return {
    async to(name) {
      const base = bases.get(name);
      if (base !== undefined) return { base, token, sleeps: false };
      throw wrongUsage(
        `this needs the function ${name}, and --url does not say where it is`,
        `add ${name}=http://... to --url`,
      );
    },
    known: async () => [...bases.keys()] as FunctionName[],
    options: ` --url ${text}`,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
