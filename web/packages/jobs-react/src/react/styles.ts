/**
 * The look of the notifications, without a CSS framework. Every colour and size is a variable.
 * Bundled without its white space; the same text is shipped as `styles.css`.
 */
export const STYLES = `:root {
  --careerlens-jobs-styles: 1;
}

.clj-region {
  --clj-surface: light-dark(#fff, #1b1e25);
  --clj-raised: light-dark(#f4f5f7, #272b34);
  --clj-text: light-dark(#16181d, #f1f3f7);
  --clj-muted: light-dark(#5b6270, #a4acba);
  --clj-border: light-dark(#dfe2e8, #333845);
  --clj-track: light-dark(#e8eaef, #333845);
  --clj-accent: light-dark(#2f5bea, #86a5ff);
  --clj-good: light-dark(#0f7b4f, #4fd09a);
  --clj-bad: light-dark(#c02626, #ff8b85);
  --clj-shadow: 0 10px 28px -6px light-dark(#0003, #0009);
  --clj-radius: 14px;
  --clj-width: 23rem;
  --clj-gap: .6rem;
  --clj-offset: 1.25rem;
  --clj-font: system-ui, sans-serif;
  --clj-z-index: 2147483000;
  color-scheme: light dark;
  position: fixed;
  z-index: var(--clj-z-index);
  width: min(var(--clj-width), 100vw - 2 * var(--clj-offset));
  max-height: calc(100dvh - 2 * var(--clj-offset));
  color: var(--clj-text);
  font: .875rem/1.4 var(--clj-font);
  pointer-events: none;
}

[data-theme="light"] .clj-region,
.clj-region[data-theme="light"] {
  color-scheme: light;
}

[data-theme="dark"] .clj-region:not([data-theme]),
.clj-region[data-theme="dark"] {
  color-scheme: dark;
}

.clj-region,
.clj-list {
  display: flex;
  flex-direction: column;
  gap: var(--clj-gap);
}

.clj-region,
.clj-region * {
  box-sizing: border-box;
  margin: 0;
}

.clj-region[data-position^="bottom"] {
  bottom: var(--clj-offset);
}

.clj-region[data-position^="top"] {
  top: var(--clj-offset);
}

.clj-region[data-position$="right"] {
  right: var(--clj-offset);
}

.clj-region[data-position$="left"] {
  left: var(--clj-offset);
}

.clj-region:focus {
  outline: none;
}

.clj-region :focus-visible {
  outline: 2px solid var(--clj-accent);
  outline-offset: 2px;
}

/* Room for the shadows, which a scrolling box would cut off. */
.clj-region .clj-list {
  min-height: 0;
  margin: -2.5rem;
  padding: 2.5rem;
  overflow-y: auto;
  overscroll-behavior: contain;
  list-style: none;
}

.clj-card {
  display: grid;
  flex: none;
  grid-template-columns: auto minmax(0, 1fr) auto;
  gap: .5rem .75rem;
  align-items: start;
  padding: .875rem 1rem;
  border-radius: var(--clj-radius);
  animation: clj-arrive .2s;
}

.clj-card,
.clj-note,
.clj-button {
  border: 1px solid var(--clj-border);
  background: var(--clj-surface);
  box-shadow: var(--clj-shadow);
  pointer-events: auto;
}

.clj-icon {
  width: 1.25rem;
  fill: none;
  stroke: currentColor;
  stroke-width: 1.75;
  stroke-linecap: round;
  stroke-linejoin: round;
  color: var(--clj-muted);
}

[data-status="processing"] > .clj-icon {
  color: var(--clj-accent);
  animation: clj-spin 1s linear infinite;
}

[data-status="processing"] > .clj-icon circle {
  opacity: .25;
}

[data-status="completed"] > .clj-icon {
  color: var(--clj-good);
}

.clj-title {
  font-size: .9375rem;
  font-weight: 600;
}

.clj-message,
.clj-note,
.clj-percent {
  color: var(--clj-muted);
}

[data-status="failed"] > .clj-icon,
[data-status="failed"] .clj-message,
.clj-problem {
  color: var(--clj-bad);
}

.clj-title,
.clj-message,
.clj-problem {
  overflow-wrap: anywhere;
}

.clj-progress,
.clj-footer {
  display: flex;
  flex-wrap: wrap;
  grid-column: 2 / -1;
  gap: .5rem;
  align-items: center;
  justify-content: space-between;
}

.clj-footer:empty {
  display: none;
}

.clj-track {
  flex: 1;
  height: .375rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--clj-track);
}

.clj-fill {
  width: 0;
  height: 100%;
  border-radius: 1rem;
  background: var(--clj-accent);
  transition: width .3s;
}

[data-status="processing"] .clj-fill[data-indeterminate] {
  width: 35%;
  animation: clj-slide 1.6s ease-in-out infinite;
}

.clj-percent {
  min-width: 2.25rem;
  line-height: 1;
  text-align: end;
  font-variant-numeric: tabular-nums;
}

.clj-button {
  min-height: 1.875rem;
  padding: .25rem .75rem;
  border-radius: .5rem;
  color: inherit;
  font: 500 .8125rem var(--clj-font);
  cursor: pointer;
}

.clj-card .clj-button {
  box-shadow: none;
}

.clj-button:hover {
  background: var(--clj-raised);
}

.clj-button[aria-disabled="true"] {
  color: var(--clj-muted);
  cursor: default;
}

.clj-button[data-primary] {
  background: var(--clj-accent);
  color: var(--clj-surface);
}

.clj-button[data-primary]:hover {
  filter: brightness(1.1);
}

.clj-dismiss {
  padding: 0 .25rem;
  border-color: #0000;
}

.clj-note {
  flex: 1 1 100%;
  padding: .5rem .75rem;
  border-radius: .5rem;
}

.clj-spoken {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

@keyframes clj-arrive {
  from {
    opacity: 0;
    transform: translateY(.5rem);
  }
}

@keyframes clj-spin {
  to {
    transform: rotate(360deg);
  }
}

@keyframes clj-slide {
  from {
    transform: translateX(-100%);
  }

  to {
    transform: translateX(300%);
  }
}

@media (max-width: 480px) {
  .clj-region {
    --clj-offset: .75rem;
    --clj-width: 100vw;
  }
}

@media (prefers-reduced-motion) {
  .clj-region * {
    animation: none !important;
    transition: none !important;
  }

  [data-status="processing"] .clj-fill[data-indeterminate] {
    width: 100%;
    opacity: .35;
  }
}

@media (forced-colors: active) {
  .clj-fill {
    background: Highlight;
  }

  .clj-track {
    border: 1px solid;
  }
}
`;
