curl https://api.example.com:4443/trusted/
