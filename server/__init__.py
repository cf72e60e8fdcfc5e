"""What stands between the app and the open internet; knows neither networks nor the page."""
