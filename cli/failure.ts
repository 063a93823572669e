/** What a script goes by: docs/cli.md. */
export const EXIT = { good: 0, failed: 1, usage: 2, unhealthy: 3 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

type Details = ErrorOptions & {
  readonly code?: string | undefined;
  readonly hint?: string | undefined;
  readonly exit?: Exit;
  /** What a function answered, for `--json`. */
  readonly problem?: unknown;
};

/** Ends the program: a sentence, what to do about it, and the exit code. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly exit: Exit;
  readonly problem: unknown;

  constructor(message: string, { code, hint, exit = EXIT.failed, problem, ...options }: Details = {}) {
    super(message, options);
    this.code = code;
    this.hint = hint;
    this.exit = exit;
    this.problem = problem;
  }
}

export function wrongUsage(message: string, hint: string): Failure {
  return new Failure(message, { hint, exit: EXIT.usage });
}
