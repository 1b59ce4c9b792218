// Runs before the first paint, so that a remembered dark page never flashes white.
(function () {
  try {
    var remembered = localStorage.getItem("careerlens:theme");
    if (remembered === "light" || remembered === "dark") {
      document.documentElement.dataset.theme = remembered;
    }
  } catch (error) {
    // Storage may be forbidden; the page then follows the system's colour scheme.
  }
})();
