import { useId } from 'react';

/** Where the drawn lines of text begin and how long they are, in the drawing's own units. */
const LINES: readonly (readonly [y: number, width: number, kind: 'name' | 'head' | 'line'])[] = [
  [30, 74, 'name'],
  [44, 118, 'line'],
  [64, 46, 'head'],
  [76, 148, 'line'],
  [86, 132, 'line'],
  [96, 141, 'line'],
  [118, 58, 'head'],
  [130, 150, 'line'],
  [140, 122, 'line'],
  [150, 146, 'line'],
  [160, 96, 'line'],
  [182, 40, 'head'],
  [194, 138, 'line'],
  [204, 150, 'line'],
  [214, 108, 'line'],
];
const TOP = 30;
const BOTTOM = 214;

/**
 * A résumé with a lens over it. The lens stands where the work stands: `percent` of the way down.
 * A drawing only; the words beside it say the same.
 */
export function PageDrawing({ percent }: { percent: number }) {
  const id = useId();
  const y = TOP + ((BOTTOM - TOP) * Math.min(100, Math.max(0, percent))) / 100;
  const lines = (bold: boolean) =>
    LINES.map(([at, width, kind]) => (
      <rect
        key={at}
        className={`drawing__${kind}`}
        x="26"
        y={at - (bold ? 3.4 : 2)}
        width={width}
        height={bold ? 6.8 : kind === 'name' ? 6 : 4}
        rx={bold ? 3.4 : 2}
      />
    ));
  return (
    <svg className="drawing" viewBox="0 0 220 250" aria-hidden="true" focusable="false">
      <defs>
        <clipPath id={`${id}-glass`}>
          <circle className="drawing__lens" cx="150" cy="0" r="27" transform={`translate(0 ${y})`} />
        </clipPath>
      </defs>
      <rect className="drawing__paper" x="8" y="8" width="188" height="234" rx="8" />
      {LINES.filter(([at]) => at <= y - 4).map(([at, width]) => (
        <rect key={at} className="drawing__marked" x="22" y={at - 5} width={width + 8} height="10" rx="2" />
      ))}
      {lines(false)}
      <g clipPath={`url(#${id}-glass)`}>
        <rect className="drawing__paper-in-lens" x="100" y="0" width="110" height="250" />
        <rect className="drawing__marker" x="100" y={y - 8} width="110" height="16" />
        {lines(true)}
      </g>
      <g className="drawing__lens" transform={`translate(0 ${y})`}>
        <circle className="drawing__rim" cx="150" cy="0" r="27" />
        <path className="drawing__handle" d="m170 20 22 22" />
      </g>
    </svg>
  );
}
