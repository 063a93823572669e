import * as z from "zod";
import type { Problem } from "../../../shared/errors.ts";
import { SWEPT } from "../../../shared/run/resume.ts";
import { ALL_DATABASES, type Run, type RunStore } from "../../../shared/run/run.ts";

/** How the run of one database ended, as the run of all has recorded it. */
export type Swept =
  | { readonly database: string; readonly run: string; readonly backup: string }
  | { readonly database: string; readonly run?: string; readonly problem: Problem };

const problem = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });
const sweptSchema = z.union([
  z.object({ database: z.string(), run: z.string(), backup: z.string() }),
  z.object({ database: z.string(), run: z.string().optional(), problem }),
]);

/** By its steps, which are there also when the run failed, or goes on. */
export function sweptIn({ steps }: Pick<Run, "steps">): readonly Swept[] {
  const kinds: readonly string[] = Object.values(SWEPT);
  return steps.flatMap(({ step, detail }) =>
    kinds.includes(step) ? [sweptSchema.parse(detail) as Swept] : [],
  );
}

export type SweptDetails = { readonly new: readonly string[]; readonly vanished: readonly string[] };
const detailsSchema = z.object({ new: z.array(z.string()), vanished: z.array(z.string()) });
export const DETAILS_STEP = "swept";

/** What a caller is answered: of each database its manifest, or why there is none. `undefined` for other runs. */
export async function answerSweep(runs: Pick<RunStore, "find">, run: Run) {
  const isOver = run.state === "succeeded" || run.problem?.code === "sweep_incomplete";
  if (run.database !== ALL_DATABASES || !isOver) return undefined;
  const databases = await Promise.all(
    sweptIn(run).map(async (swept) => {
      if ("problem" in swept) return swept;
      const { database, run: id } = swept;
      return { database, run: id, manifest: (await runs.find(id))?.result };
    }),
  );
  const details = detailsSchema.safeParse(run.steps.findLast(({ step }) => step === DETAILS_STEP)?.detail);
  const changes = details.data ?? { new: [], vanished: [] };
  return { status: run.problem === undefined ? 200 : 207, body: { databases, ...changes } };
}
