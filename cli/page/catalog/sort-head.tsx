import type { Sort, SortKey } from "./choose.ts";

const COLUMNS = [
  { by: "taken", title: "Taken", class: "" },
  { by: "size", title: "Size", class: "number" },
  { by: "rows", title: "Rows", class: "number roomy" },
  { by: "duration", title: "Took", class: "number wide" },
] as const satisfies readonly { readonly by: SortKey; readonly title: string; readonly class: string }[];

export function SortHead({ sort, set }: { readonly sort: Sort; readonly set: (sort: Sort) => void }) {
  return (
    <thead>
      <tr>
        <th scope="col" class="check">
          <span class="hidden">Compare</span>
        </th>
        {COLUMNS.map(({ by, title, class: name }) => {
          const isSorted = sort.by === by;
          const order = sort.isDescending ? "descending" : "ascending";
          return (
            <th key={by} scope="col" class={name} aria-sort={isSorted ? order : "none"}>
              <button
                type="button"
                class="sort"
                onClick={() => set({ by, isDescending: isSorted ? !sort.isDescending : true })}
              >
                {title} <span aria-hidden="true">{isSorted ? (sort.isDescending ? "↓" : "↑") : "↕"}</span>
              </button>
            </th>
          );
        })}
        <th scope="col" class="wide">
          Proof
        </th>
        <th scope="col" class="wide">
          Places
        </th>
        <th scope="col">Marks</th>
      </tr>
    </thead>
  );
}
