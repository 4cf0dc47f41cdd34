"""Feature steps, estimators and metrics of {{ cookiecutter.project_name }}.

A release is used with the code that its model was made with, byte by byte. Therefore they have a
package of their own: settings, commands and pipelines may change beside it, and a step that gives
other values belongs into a new one.
"""
