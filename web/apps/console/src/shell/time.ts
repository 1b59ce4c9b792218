import { useEffect, useState } from 'react';

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** "2 minutes ago", or the date once that is more use. */
export function describeAge(when: Date, nowMs: number): string {
  const seconds = Math.round((when.getTime() - nowMs) / 1000);
  const age = Math.abs(seconds);
  if (age < 10) return 'just now';
  if (age < 60) return relative.format(seconds, 'second');
  if (age < 3600) return relative.format(Math.trunc(seconds / 60), 'minute');
  if (age < 86_400) return relative.format(Math.trunc(seconds / 3600), 'hour');
  if (age < 6 * 86_400) return relative.format(Math.trunc(seconds / 86_400), 'day');
  return absolute.format(when);
}

export const describeMoment = (when: Date): string => absolute.format(when);
export const describeClock = (when: Date): string => clock.format(when);

/** "0.4 s", "12 s", "3 min 05 s". */
export function describeDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
}

/** The time, refreshed at an interval while the page is visible. `null` stops the clock. */
export function useNow(everyMs: number | null): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (everyMs === null) return;
    const tick = () => {
      if (document.visibilityState === 'visible') setNow(Date.now());
    };
    tick();
    const timer = setInterval(tick, everyMs);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, [everyMs]);
  return now;
}
