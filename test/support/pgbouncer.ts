import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { installation } from "./installation.ts";
import { freePort, type ServerAddress } from "./postgres.ts";

export const PGBOUNCER = "/usr/sbin/pgbouncer";

export type PoolMode = "session" | "transaction";

/** A real pgbouncer before a server, which lets `postgres` in; `settings` are lines of its configuration. */
export async function startPgBouncer(
  server: ServerAddress,
  mode: PoolMode,
  settings: readonly string[] = [],
) {
  const folder = await mkdtemp(join(tmpdir(), "dormouse-pgbouncer-"));
  const { user } = await installation();
  const port = await freePort();
  await writeFile(join(folder, "users"), `"${server.user}" "${server.password}"\n`, { mode: 0o644 });
  const config = [
    "[databases]",
    `* = host=${server.host} port=${server.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${join(folder, "users")}`,
    `pool_mode = ${mode}`,
    ...settings,
  ];
  await writeFile(join(folder, "ini"), `${config.join("\n")}\n`, { mode: 0o644 });
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  // It refuses to run as root.
  const bouncer = spawn(PGBOUNCER, ["-q", join(folder, "ini")], { stdio: "ignore", ...user });
  while (!(await reaches(port))) {
    if (bouncer.exitCode !== null) throw new Error(`pgbouncer ended with ${bouncer.exitCode}`);
    await pause(20);
  }
  return {
    address: { ...server, port },
    async [Symbol.asyncDispose]() {
      bouncer.kill("SIGINT");
      if (bouncer.exitCode === null && bouncer.signalCode === null) await once(bouncer, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function reaches(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
