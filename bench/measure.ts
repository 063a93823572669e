import { readFile } from "node:fs/promises";

/** One figure: ours against a reference of the same run. */
export type Measure = {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly reference: number;
  readonly referenceName: string;
  /** ours / reference */
  readonly ratio: number;
  /** Unset where the machine at hand forbids any: docs/decisions/two-processors.md. */
  readonly limit?: number | undefined;
  readonly holds: boolean;
};

type Given = Omit<Measure, "ratio" | "holds">;

export function measure({ ours, reference, limit, ...given }: Given): Measure {
  const ratio = ours / reference;
  return {
    ...given,
    ours: rounded(ours),
    reference: rounded(reference),
    ratio: rounded(ratio),
    limit,
    holds: limit === undefined || ratio <= limit,
  };
}

/** How the image runs Node; a bench of the bundles runs it so, too. */
export async function imageEnvironment(): Promise<Readonly<Record<string, string>>> {
  const [, options] = /^ENV NODE_OPTIONS=(.+)$/m.exec(await readFile("Dockerfile", "utf8")) ?? [];
  if (options === undefined) throw new Error("the Dockerfile sets no NODE_OPTIONS");
  return { NODE_OPTIONS: options };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The most memory that a process has had resident, in MB. */
export async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

const TICKS = 100;

/** proc(5): user and system time of a process, and of its children that it has waited for. */
export async function processorOf(pid: number): Promise<{ readonly own: number; readonly children: number }> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ").at(-1)?.split(" ") ?? [];
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  return { own: (user + system) / TICKS, children: (childUser + childSystem) / TICKS };
}

export function tableOf(measures: readonly Measure[]): string {
  const rows = measures.map(({ name, unit, ours, reference, referenceName, ratio, limit }) => [
    name,
    `${ours} ${unit}`,
    `${reference} ${unit} (${referenceName})`,
    `${ratio}`,
    limit === undefined ? "" : `${limit}`,
  ]);
  const all = [["measure", "ours", "reference", "ratio", "at most"], ...rows];
  return (
    all
      // A pipe in a name would begin another column.
      .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
      .toSpliced(1, 0, "| --- | --- | --- | --- | --- |")
      .join("\n")
  );
}

/** Bars of the ratios, each with a mark at its limit. */
export function plotOf(measures: readonly Measure[]): string {
  const [rowHeight, left, room] = [28, 330, 430];
  const unitWidth = room / Math.max(...measures.flatMap(({ ratio, limit = 0 }) => [ratio, limit]));
  const widthOf = (ratio: number) => Math.round(ratio * unitWidth);
  const bars = measures.map(({ name, ratio, limit, holds }, index) => {
    const y = 40 + index * rowHeight;
    const mark = left + widthOf(limit ?? 0);
    const line = `<line x1="${mark}" x2="${mark}" y1="${y - 3}" y2="${y + 21}" stroke="#222" stroke-width="2"/>`;
    return `<text x="${left - 10}" y="${y + 14}" text-anchor="end">${name}</text>
<rect x="${left}" y="${y}" width="${widthOf(ratio)}" height="18" fill="${holds ? "#3b7a57" : "#b03a2e"}"/>
${limit === undefined ? "" : line}
<text x="${left + widthOf(Math.max(ratio, limit ?? 0)) + 8}" y="${y + 14}">${ratio}</text>`;
  });
  const height = 50 + measures.length * rowHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="820" height="${height}" font-family="sans-serif" font-size="13">
<rect width="820" height="${height}" fill="#fff"/>
<text x="10" y="22">Dormouse divided by its reference in the same run; the line is the limit</text>
${bars.join("\n")}
</svg>
`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
