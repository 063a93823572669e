import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import type { Overview } from "../../commands/status.ts";
import { countText, plural } from "../../text/units.ts";
import type { Backup } from "../../wire.ts";
import type { Open } from "../parts/doing.ts";
import { BackupRow } from "./backup-row.tsx";
import { choose, EVERYTHING, type Filter, type Sort } from "./choose.ts";
import { Filters } from "./filters.tsx";
import { SortHead } from "./sort-head.tsx";

/** What is drawn at once; a catalog may have thousands. */
const PAGE = 12;

type Props = { readonly overview: Overview; readonly open: Open };

export function Catalog({ overview, open }: Props) {
  const { backups } = overview.catalog;
  const [filter, setFilter] = useState<Filter>(EVERYTHING);
  const [sort, setSort] = useState<Sort>({ by: "taken", isDescending: true });
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const found = choose(backups, filter, sort);
  const toggle = (name: string) =>
    setChosen(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen.slice(-1), name]);
  const both = backups.filter(({ name }) => chosen.includes(name));
  return (
    <section class="card" aria-labelledby="catalog">
      <h2 id="catalog">Backups</h2>
      <Filters backups={backups} filter={filter} set={setFilter} />
      <Chosen chosen={both} open={open} found={found.length} all={backups.length} />
      {found.length > 0 && (
        <Table found={found} head={<SortHead sort={sort} set={setSort} />}>
          {(backup) => (
            <BackupRow
              key={backup.name}
              backup={backup}
              overview={overview}
              open={open}
              isChosen={chosen.includes(backup.name)}
              toggle={() => toggle(backup.name)}
            />
          )}
        </Table>
      )}
      <Others overview={overview} />
    </section>
  );
}

type TableProps = {
  readonly found: readonly Backup[];
  readonly head: ComponentChild;
  readonly children: (backup: Backup) => ComponentChild;
};

/** The first of them, and more when they are asked for. */
function Table({ found, head, children }: TableProps) {
  const [shown, setShown] = useState(PAGE);
  return (
    <>
      <table class="catalog">
        {head}
        <tbody>{found.slice(0, shown).map(children)}</tbody>
      </table>
      {found.length > shown && (
        <p class="actions">
          <button type="button" onClick={() => setShown(shown + 5 * PAGE)}>
            Show more: {countText(found.length - shown)} are left
          </button>
        </p>
      )}
    </>
  );
}

type ChosenProps = {
  readonly chosen: readonly Backup[];
  readonly open: Open;
  readonly found: number;
  readonly all: number;
};

function Chosen({ chosen, open, found, all }: ChosenProps) {
  const [before, now] = chosen.toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
  const count = found === all ? plural(all, "backup") : `${countText(found)} of ${plural(all, "backup")}`;
  return (
    <p class="actions">
      <span class="dim" role="status">
        {count}
      </span>
      <button
        type="button"
        disabled={now === undefined}
        onClick={() => before !== undefined && now !== undefined && open({ kind: "compare", before, now })}
      >
        {now === undefined ? "Choose two to compare" : "Compare the two"}
      </button>
    </p>
  );
}

function Others({ overview: { catalog } }: Pick<Props, "overview">) {
  const { legacy, foreign } = catalog;
  return (
    <>
      {legacy.length > 0 && (
        <Paths
          title={plural(legacy.length, "file of the old pod", "files of the old pod")}
          entries={legacy.map(({ name }) => ({ path: name, why: "" }))}
        />
      )}
      {foreign.length > 0 && (
        <Paths
          title={plural(foreign.length, "entry that is no backup", "entries that are no backups")}
          entries={foreign.map(({ path, detail }) => ({ path, why: detail }))}
        />
      )}
    </>
  );
}

type Entry = { readonly path: string; readonly why: string };

function Paths({ title, entries }: { readonly title: string; readonly entries: readonly Entry[] }) {
  return (
    <details>
      <summary>{title}</summary>
      <ul>
        {entries.slice(0, 200).map(({ path, why }) => (
          <li key={path}>
            <code>{path}</code> {why}
          </li>
        ))}
      </ul>
    </details>
  );
}
