import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { ServerAddress } from "./postgres.ts";

export type LogLine = Readonly<Record<string, unknown>> & { readonly message: string };

/** A function as the container runs it: a process of its own, spoken to over HTTP and by signals. */
export type FunctionProcess = {
  readonly url: string;
  readonly pid: number;
  readonly lines: readonly LogLine[];
  /** Resolves with the first line, past or to come, that has this message. */
  logged(message: string): Promise<LogLine>;
  post(body?: unknown, headers?: Record<string, string>): Promise<Response>;
  ping(event?: PingEvent): Promise<Response>;
  get(path: string): Promise<Response>;
  /** Resolves with the exit code, or the signal. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  readonly ended: Promise<number | NodeJS.Signals>;
  [Symbol.asyncDispose](): Promise<void>;
};

type PingEvent = {
  readonly id?: string;
  readonly time?: string;
  readonly source?: string;
  readonly data?: unknown;
};

type Environment = Readonly<Record<string, string>>;
/** Whom a function runs as, instead of the user that runs the tests. */
export type User = { readonly uid: number; readonly gid: number };

/** The environment of a backup function that works on `database` and `backupDir`. */
export function backupEnvironment(server: ServerAddress, database: string, backupDir: string): Environment {
  return {
    PATH: process.env["PATH"] ?? "",
    DATABASE_SERVICE_NAME: server.host,
    PGPORT: `${server.port}`,
    POSTGRESQL_USER: server.user,
    POSTGRESQL_PASSWORD: server.password,
    POSTGRESQL_DATABASE: database,
    PG_BIN_DIR: server.binDir,
    BACKUP_DIR: backupDir,
    AUTH: "none",
    MIN_INTERVAL_MINUTES: "0",
    RETRY_SECONDS: "0",
    POD_NAMESPACE: "hets",
    SHUTDOWN_GRACE_SECONDS: "0",
    PORT: "0",
  };
}

/** Starts a function and waits until it listens; `DORMOUSE_TEST_DIST` runs the bundle instead of the source. */
export async function startFunction(
  name: string,
  environment: Environment,
  user?: User,
): Promise<FunctionProcess> {
  const started = spawnFunction(name, environment, user);
  const first = await Promise.race([started.logged("listening"), started.ended]);
  if (typeof first !== "object")
    throw new Error(`${name} ended with ${first}: ${JSON.stringify(started.lines)}`);
  return { ...started, url: `http://127.0.0.1:${String(first["port"])}` };
}

/** Starts a function that is expected not to come up, or is watched from its first line. */
export function spawnFunction(name: string, environment: Environment, user?: User): FunctionProcess {
  const dist = process.env["DORMOUSE_TEST_DIST"];
  const program = dist === undefined ? `../../functions/${name}/index.ts` : `../../${dist}/${name}/index.mjs`;
  const path = fileURLToPath(new URL(program, import.meta.url));
  // A process that is killed leaves its temporary files, as a container does; they go with this folder.
  const temporary = mkdtempSync(join(tmpdir(), "dormouse-function-"));
  if (user !== undefined) chownSync(temporary, user.uid, user.gid);
  const child = spawn(process.execPath, [path], {
    env: { TMPDIR: temporary, ...compileCache(), ...environment },
    stdio: ["ignore", "pipe", "inherit"],
    ...user,
  });
  const { lines, logged } = readLog(child);
  const ended = once(child, "exit").then(([code, signal]) => {
    rmSync(temporary, { recursive: true, force: true });
    return (code ?? signal) as number | NodeJS.Signals;
  });
  const url = () =>
    `http://127.0.0.1:${String(lines.find(({ message }) => message === "listening")?.["port"])}`;

  return {
    url: "",
    pid: child.pid ?? 0,
    lines,
    logged,
    ended,
    post: (body, headers = {}) => {
      const json = body === undefined ? {} : { "content-type": "application/json" };
      return fetch(url(), {
        method: "POST",
        headers: { ...json, ...headers },
        body: body === undefined ? null : JSON.stringify(body),
      });
    },
    ping: (event) => fetch(url(), pingRequest(event)),
    get: (path) => fetch(`${url()}${path}`),
    end(signal) {
      child.kill(signal);
      return ended;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Bundles have one of their own. */
export function compileCache(): Environment {
  const { NODE_COMPILE_CACHE } = process.env;
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: resolve(NODE_COMPILE_CACHE) };
}

/** A whole minute in the past, for what only counts for a day; in the future where the number is negative. */
export function minutesAgo(minutes: number, now = Date.now()): string {
  return `${new Date(now - minutes * 60_000).toISOString().slice(0, 16)}:00.000Z`;
}

/** As a PingSource puts it on the wire. */
export function pingRequest({ id = randomUUID(), time, source, data }: PingEvent = {}): RequestInit {
  return {
    method: "POST",
    headers: {
      "Ce-Id": id,
      "Ce-Source": source ?? "/apis/v1/namespaces/hets/pingsources/daily",
      "Ce-Type": "dev.knative.sources.ping",
      "Ce-Specversion": "1.0",
      "Ce-Time": time ?? new Date().toISOString().replace("Z", "123456Z"),
      ...(data === undefined ? {} : { "Content-Type": "application/json" }),
    },
    body: data === undefined ? null : JSON.stringify(data),
  };
}

export async function manifestOf(response: Response): Promise<BackupManifest> {
  if (response.status !== 200) throw new Error(`answer ${response.status}: ${await response.text()}`);
  return (await response.json()) as BackupManifest;
}

function readLog(child: ChildProcess) {
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  let broken = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const parts = (broken + text).split("\n");
    broken = parts.pop() ?? "";
    lines.push(...parts.map((line) => JSON.parse(line) as LogLine));
    waiting.forEach((look) => look());
  });
  const logged = (message: string) =>
    new Promise<LogLine>((resolve) => {
      const look = () => {
        const line = lines.find((each) => each.message === message);
        if (line === undefined) return;
        waiting.delete(look);
        resolve(line);
      };
      waiting.add(look);
      look();
    });
  return { lines, logged };
}

/** The environment of a restore function beside it, outside of a cluster. */
export function restoreEnvironment(server: ServerAddress, database: string, backupDir: string): Environment {
  return backupEnvironment(server, database, backupDir);
}
