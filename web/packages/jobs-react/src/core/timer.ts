/** Has `act` called once, after a while. */
export function createTimer(act: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;

  function stop_(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  /** Call it after `wait` milliseconds, whenever it was to be called so far. */
  function restart_(wait: number): void {
    stop_();
    timer = setTimeout(() => {
      timer = undefined;
      act();
    }, wait);
  }

  return {
    /** Call it after `wait` milliseconds, unless it is to be called anyway. */
    start_(wait: number): void {
      if (timer === undefined) restart_(wait);
    },
    restart_,
    stop_,
  };
}
