import { createRoot } from 'react-dom/client';

import { MyComponent } from 'quickstart:create-a-job';
import App from 'quickstart:display-progress';

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(
  <>
    <MyComponent />
    <App />
  </>,
);
