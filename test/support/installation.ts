import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { execa } from "execa";

/** One installation of PostgreSQL's server and client tools. */
export type Installation = {
  readonly major: number;
  /** Where the client tools are, to be called on this machine. */
  readonly binDir: string;
  /** The folder that is `/` to its server: empty for the machine's own. */
  readonly root: string;
  /** Who runs the server when we are root, which PostgreSQL refuses. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  /** Starts a server program as that user. */
  spawn(program: "initdb" | "postgres", args: readonly string[], log?: number): ChildProcess;
};

/**
 * The newest installation of this machine; or the one in the root folder that DORMOUSE_TEST_PG_ROOT names, made by
 * scripts/test-matrix.ts, whose client tools stand in `<root>/dormouse-bin`.
 */
export async function installation(): Promise<Installation> {
  const root = process.env["DORMOUSE_TEST_PG_ROOT"] ?? "";
  const serverDir = await newestServer(root);
  const binDir = root === "" ? serverDir : `${root}/dormouse-bin`;
  const { stdout } = await execa(`${binDir}/pg_dump`, ["--version"]);
  const major = Number(/ (\d+)/.exec(stdout)?.[1]);
  const user = process.getuid?.() === 0 ? await unprivileged(root) : undefined;

  return {
    major,
    binDir,
    root,
    user,
    spawn(program, args, log) {
      const path = `${serverDir.slice(root.length)}/${program}`;
      const output = log ?? "ignore";
      // LC_ALL: initdb refuses a locale of the caller's that this system lacks.
      const options = {
        stdio: ["ignore", output, output] as const,
        detached: true,
        cwd: "/",
        env: { LC_ALL: "C.UTF-8" },
      };
      return root === "" || user === undefined
        ? spawn(path, args, { ...options, stdio: [...options.stdio], ...user })
        : spawn("/usr/sbin/chroot", [`--userspec=${user.uid}:${user.gid}`, root, path, ...args], {
            ...options,
            stdio: [...options.stdio],
          });
    },
  };
}

async function newestServer(root: string): Promise<string> {
  const found: { readonly dir: string; readonly major: number }[] = [];
  for await (const path of glob([
    `${root}/usr/lib/postgresql/*/bin/initdb`,
    `${root}/usr/pgsql-*/bin/initdb`,
  ])) {
    found.push({ dir: path.slice(0, -"/initdb".length), major: Number(/(\d+)\/bin/.exec(path)?.[1]) });
  }
  const newest = found.toSorted((a, b) => b.major - a.major)[0]?.dir;
  const onPath = process.env["PATH"]?.split(":").find((dir) => existsSync(`${dir}/initdb`));
  const dir = newest ?? (root === "" ? onPath : undefined);
  if (dir === undefined)
    throw new Error(`no PostgreSQL server found below ${root || "/"}: npm test installs one on Debian`);
  return dir;
}

async function unprivileged(root: string): Promise<{ uid: number; gid: number }> {
  const users = await readFile(`${root}/etc/passwd`, "utf8");
  const line = /^postgres:.*$/m.exec(users)?.[0] ?? /^nobody:.*$/m.exec(users)?.[0];
  const [, , uid, gid] = line?.split(":") ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}
