import { execa } from "execa";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { compileCache } from "./function-process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export type Ended = { readonly code: number | undefined; readonly stdout: string; readonly stderr: string };

/** Nothing of the machine that runs the tests: no kubeconfig, no CI, no token. */
function environment(env: Readonly<Record<string, string>>): Record<string, string> {
  const own = { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", TERM: "xterm", COLUMNS: "100" };
  return { ...own, ...compileCache(), ...env };
}

/** `dormouse` as a process without a terminal. */
export async function dormouse(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, ["cli/index.ts", ...args], {
    cwd: ROOT,
    env: environment(env),
    extendEnv: false,
    reject: false,
    stdin: "ignore",
  });
  return { code: exitCode, stdout, stderr };
}

type Terminal = AsyncDisposable & {
  /** All that was drawn so far, with its control sequences. */
  screen(): string;
  /** Resolves when this was drawn after what was waited for before. */
  shows(text: string | RegExp): Promise<void>;
  type(keys: string): void;
  readonly ended: Promise<number | null>;
};

/** The same in a pseudo-terminal, which util-linux' `script` makes. */
export function inTerminal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Terminal {
  // `script` itself has no terminal here whose size it could take over.
  const command = `stty cols 100 rows 40; exec ${[process.execPath, "cli/index.ts", ...args].map((word) => `'${word}'`).join(" ")}`;
  const child = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
    cwd: ROOT,
    env: environment(env),
    stdio: ["pipe", "pipe", "inherit"],
  });
  let drawn = "";
  let seen = 0;
  const waiting = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    drawn += text;
    waiting.forEach((look) => look());
  });
  const ended = once(child, "exit").then(([code]) => {
    waiting.forEach((look) => look());
    return code as number | null;
  });
  return {
    screen: () => drawn,
    ended,
    type: (keys) => void child.stdin.write(keys),
    shows: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const rest = drawn.slice(seen);
          const at = typeof wanted === "string" ? rest.indexOf(wanted) : rest.search(wanted);
          if (at === -1 && child.exitCode === null) return;
          waiting.delete(look);
          if (at === -1) return reject(new Error(`it ended without ${String(wanted)}: ${drawn}`));
          seen += at + 1;
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
