import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chown, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import pg from "pg";
import { installation, type Installation } from "./installation.ts";

/** How to reach a server: what tests share between processes. */
export type ServerAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly major: number;
  /** Client tools of the server's own major. */
  readonly binDir: string;
};

export type TestServer = ServerAddress & {
  connect(database?: string): Promise<pg.Client>;
  query(database: string, sql: string, values?: unknown[]): Promise<pg.QueryResult>;
  createDatabase(name?: string): Promise<string>;
  dropDatabase(name: string): Promise<void>;
};

/** A server of its own, to be stopped, started and killed. */
export type OwnServer = TestServer & {
  readonly pid: () => number;
  readonly log: () => Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
  kill(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Removes the server and its folder when this process ends in whatever way: its end of the pipe closes then. */
const GUARD = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -INT "$pid" 2>/dev/null
while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
rm -rf "$1"`;

type Settings = Readonly<Record<string, string>>;
/** Fills the folder `data` of a server that is not there yet. */
type MakeData = (home: Installation, folder: string, password: string) => Promise<void>;

/** A throw-away server in a temporary folder on a free port. */
export async function startPostgres(settings: Settings = {}): Promise<OwnServer> {
  return startServer(settings, randomBytes(12).toString("hex"), initialise);
}

/** A hot standby that follows `primary` for as long as both run. */
export async function startStandby(primary: ServerAddress, settings: Settings = {}): Promise<OwnServer> {
  return startServer(settings, primary.password, async (home, folder) => {
    const { host, port, user, password, binDir } = primary;
    const from = ["-h", host, "-p", `${port}`, "-U", user, "--write-recovery-conf", "--checkpoint=fast"];
    const env = { PGPASSWORD: password };
    await execa(`${binDir}/pg_basebackup`, ["-D", `${folder}/data`, ...from], { env });
    if (home.user !== undefined)
      await execa("chown", ["-R", `${home.user.uid}:${home.user.gid}`, `${folder}/data`]);
  });
}

async function startServer(settings: Settings, password: string, makeData: MakeData): Promise<OwnServer> {
  const home = await installation();
  const folder = await mkdtemp(join(home.root === "" ? tmpdir() : `${home.root}/tmp`, "dormouse-pg-"));
  if (home.user !== undefined) await chown(folder, home.user.uid, home.user.gid);
  // The server's files belong to another user, who alone may remove what its folder holds.
  const guard = spawn("/bin/sh", ["-c", GUARD, "guard", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  if (guard.stdin !== null && "unref" in guard.stdin) (guard.stdin as { unref(): void }).unref();

  await makeData(home, folder, password);
  const address = { host: "127.0.0.1", user: "postgres", password, major: home.major, binDir: home.binDir };
  const server = await startOnFreePort(home, folder, settings);

  return {
    ...testServer({ ...address, port: server.port }),
    pid: server.pid,
    log: () => readFile(join(folder, "log"), "utf8"),
    stop: () => server.end("SIGINT"),
    kill: () => server.end("SIGKILL"),
    start: server.start,
    async [Symbol.asyncDispose]() {
      await server.end("SIGINT");
      guard.stdin?.end();
      guard.ref();
      if (guard.exitCode === null) await once(guard, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let shared: Promise<TestServer> | undefined;

/**
 * The server that all test files of a run share, or one of this file's own when it runs alone; that one ends with the
 * process, by its guard.
 */
export async function sharedServer(): Promise<TestServer> {
  const given = process.env["DORMOUSE_TEST_SERVER"];
  shared ??=
    given === undefined ? startPostgres() : Promise.resolve(testServer(JSON.parse(given) as ServerAddress));
  return shared;
}

function testServer(address: ServerAddress): TestServer {
  const connect = async (database = "postgres") => {
    const { host, port, user, password } = address;
    const client = new pg.Client({ host, port, user, password, database });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  };
  const query = async (database: string, sql: string, values: unknown[] = []) => {
    const client = await connect(database);
    try {
      return await client.query(sql, values);
    } finally {
      await client.end();
    }
  };
  return {
    ...address,
    connect,
    query,
    async createDatabase(name = `test_${randomUUID().slice(0, 8)}`) {
      await query("postgres", `CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE template0`);
      return name;
    },
    async dropDatabase(name) {
      await query("postgres", `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
    },
  };
}

async function initialise(home: Installation, folder: string, password: string): Promise<void> {
  await writeFile(join(folder, "password"), password, { mode: 0o644 });
  const inside = folder.slice(home.root.length);
  const identity = ["-U", "postgres", "--pwfile", `${inside}/password`, "-A", "scram-sha-256"];
  const options = ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"];
  const initdb = home.spawn("initdb", ["-D", `${inside}/data`, ...identity, ...options]);
  const [code] = (await once(initdb, "exit")) as [number | null];
  if (code !== 0) throw new Error(`initdb exited with ${code}`);
}

async function startOnFreePort(
  home: Installation,
  folder: string,
  settings: Readonly<Record<string, string>>,
) {
  let postgres: ChildProcess | undefined;
  let port = await freePort();

  async function start(): Promise<void> {
    const inside = folder.slice(home.root.length);
    const given = { fsync: "off", full_page_writes: "off", listen_addresses: "127.0.0.1", ...settings };
    const options = Object.entries(given).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const log = await open(join(folder, "log"), "a", 0o666);
    postgres = home.spawn(
      "postgres",
      ["-D", `${inside}/data`, "-p", `${port}`, "-c", `unix_socket_directories=${inside}`, ...options],
      log.fd,
    );
    postgres.unref();
    await log.close();
    await accepting(postgres, port);
  }

  for (let attempt = 1; ; attempt++) {
    try {
      await start();
      break;
    } catch (error) {
      if (attempt === 5) throw new Error(await readFile(join(folder, "log"), "utf8"), { cause: error });
      port = await freePort();
    }
  }
  return {
    port,
    start,
    pid: () => postgres?.pid ?? 0,
    async end(signal: NodeJS.Signals) {
      if (postgres === undefined || postgres.exitCode !== null || postgres.signalCode !== null) return;
      postgres.kill(signal);
      postgres.ref();
      await once(postgres, "exit");
    },
  };
}

async function accepting(postgres: ChildProcess, port: number): Promise<void> {
  while (postgres.exitCode === null && postgres.signalCode === null) {
    const client = new pg.Client({
      host: "127.0.0.1",
      port,
      user: "postgres",
      password: "?",
      database: "postgres",
    });
    const answer = await client.connect().catch((error: { code?: string }) => error.code);
    // A rejected password is an answer: the server is up.
    if (answer === "28P01") return;
    await pause(50);
  }
  throw new Error("postgres did not start");
}

/** Below those that the system gives to clients and to `listen(0)`: one of them may take what a stopped server comes back to. */
const PORTS = { from: 15_000, to: 30_000 } as const;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      return port;
    } catch {
      // Another process has it.
    } finally {
      server.close();
    }
  }
}
