declare module 'quickstart:create-a-job' {
  export function MyComponent(): import('react').JSX.Element;
}

declare module 'quickstart:display-progress' {
  export default function App(): import('react').JSX.Element;
}
